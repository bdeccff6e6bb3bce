/** What a person reads of one call's arguments; longer ones are cut, visibly. */
const TEXT_LIMIT = 2_000;
const VALUES_LIMIT = 400;
const TOTAL_LIMIT = 24_000;
const DEPTH_LIMIT = 24;

/** C0 but tab and newline, C1, and everything that is invisible or turns the direction of reading. */
const DECEPTIVE = /[\p{Cc}\p{Cf}\p{Cs}\p{Co}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}]/gu;

/** Text for people: what they cannot see, or what would reorder what they see, is spelt out as `\u{202e}`. */
export function visibleText(text: string, limit: number = TEXT_LIMIT): string {
  const cut = text.length > limit ? text.slice(0, limit).toWellFormed() : text;
  const shown = cut.replace(DECEPTIVE, (character) =>
    character === '\n' || character === '\t' ? character : `\\u{${(character.codePointAt(0) ?? 0).toString(16)}}`,
  );
  return text.length > limit ? `${shown}… (${text.length - limit} more characters)` : shown;
}

/** The arguments of a call for people: escaped, and bounded in length, number and depth of values. */
export function visibleArguments(args: unknown): { readonly shown: unknown; readonly truncated: boolean } {
  const left = { values: VALUES_LIMIT, characters: TOTAL_LIMIT };
  let truncated = false;
  const note = <Value>(value: Value): Value => {
    truncated = true;
    return value;
  };

  const text = (value: string): string => {
    const limit = Math.min(TEXT_LIMIT, Math.max(0, left.characters));
    left.characters -= Math.min(value.length, limit);
    return value.length > limit ? note(visibleText(value, limit)) : visibleText(value);
  };
  const show = (value: unknown, depth: number): unknown => {
    left.values -= 1;
    if (typeof value === 'string') return text(value);
    if (typeof value !== 'object' || value === null) return value;
    if (depth > DEPTH_LIMIT) return note('… (nested deeper)');
    if (Array.isArray(value)) {
      const items: unknown[] = [];
      for (const [index, item] of value.entries()) {
        if (left.values <= 0) return [...items, note(`… (${value.length - index} more)`)];
        items.push(show(item, depth + 1));
      }
      return items;
    }
    const members: [string, unknown][] = [];
    const entries = Object.entries(value);
    for (const [index, [name, member]] of entries.entries()) {
      if (left.values <= 0) return Object.fromEntries([...members, ['…', note(`${entries.length - index} more`)]]);
      members.push([text(name), show(member, depth + 1)]);
    }
    return Object.fromEntries(members);
  };
  return { shown: show(args, 0), truncated };
}
