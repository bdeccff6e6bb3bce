/** A parsed glob. `*` stands for any run of characters, `?` for one, `\` takes the next as it is. */
type Glob = readonly (string | typeof ANY | typeof ONE)[];
const ANY = Symbol('*');
const ONE = Symbol('?');

/** Whether a text is what the glob says. */
export function compileGlob(text: string): (text: string) => boolean {
  const glob = parseGlob(text);
  const { prefix, suffix } = endsOf(glob);
  if (!glob.includes(ANY) && !glob.includes(ONE)) return (candidate) => candidate === prefix;
  return (candidate) => candidate.startsWith(prefix) && candidate.endsWith(suffix) && matchesGlob(glob, candidate);
}

/** What every text that matches begins and ends with. */
export interface LiteralEnds {
  readonly prefix: string;
  readonly suffix: string;
}

export function literalEnds(text: string): LiteralEnds {
  return endsOf(parseGlob(text));
}

function endsOf(glob: Glob): LiteralEnds {
  const isWild = (part: Glob[number]): boolean => typeof part === 'symbol';
  const first = glob.findIndex(isWild);
  const prefix = first < 0 ? glob : glob.slice(0, first);
  return { prefix: prefix.join(''), suffix: glob.slice(glob.findLastIndex(isWild) + 1).join('') };
}

function parseGlob(text: string): Glob {
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
function matchesGlob(glob: Glob, text: string): boolean {
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
