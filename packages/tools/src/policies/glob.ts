/** A compiled glob. `*` stands for any run of characters, `?` for one, `\` takes the next as it is. */
export type Glob = readonly (string | typeof ANY | typeof ONE)[];
const ANY = Symbol('*');
const ONE = Symbol('?');

export function parseGlob(text: string): Glob {
  const parts: (string | typeof ANY | typeof ONE)[] = [];
  const characters = [...text];
  for (let index = 0; index < characters.length; index += 1) {
    const character = characters[index] ?? '';
    if (character === '*') {
      if (parts.at(-1) !== ANY) parts.push(ANY);
    } else if (character === '?') parts.push(ONE);
    else if (character === '\\' && index + 1 < characters.length) {
      index += 1;
      parts.push(characters[index] ?? '');
    } else parts.push(character);
  }
  return parts;
}

/** Never more steps than the product of both lengths: no pattern makes it run away. */
export function matchesGlob(glob: Glob, text: string): boolean {
  const characters = [...text];
  let place = 0;
  let part = 0;
  let star = -1;
  let resume = 0;
  while (place < characters.length) {
    const wanted = glob[part];
    if (wanted === ANY) {
      star = part;
      part += 1;
      resume = place;
    } else if (wanted !== undefined && (wanted === ONE || wanted === characters[place])) {
      part += 1;
      place += 1;
    } else if (star >= 0) {
      part = star + 1;
      resume += 1;
      place = resume;
    } else return false;
  }
  while (glob[part] === ANY) part += 1;
  return part === glob.length;
}
