/**
 * Where a text stops being JSON: the position of the first character that no JSON document could have there, or the length
 * of the text when it only ends too early. V8's own messages name the place for some errors and not for others. Only for texts
 * that `JSON.parse` refused, and that `scanJson` found shallow: it recurses.
 */
export function findSyntaxError(text: string): number {
  const end = endOfValue(text, skipSpace(text, 0));
  return end < 0 ? ~end : skipSpace(text, end);
}

/** The position after the value at `at`, or the complement of the position where it breaks. */
function endOfValue(text: string, at: number): number {
  switch (text[at]) {
    case '{':
      return endOfContainer(text, at, '}', endOfMember);
    case '[':
      return endOfContainer(text, at, ']', endOfValue);
    case '"':
      return endOfString(text, at);
    case 't':
      return endOfWord(text, at, 'true');
    case 'f':
      return endOfWord(text, at, 'false');
    case 'n':
      return endOfWord(text, at, 'null');
    default:
      return endOfNumber(text, at);
  }
}

function endOfContainer(text: string, start: number, close: string, endOfItem: (text: string, at: number) => number): number {
  let at = skipSpace(text, start + 1);
  if (text[at] === close) return at + 1;
  for (;;) {
    const end = endOfItem(text, at);
    if (end < 0) return end;
    at = skipSpace(text, end);
    if (text[at] === close) return at + 1;
    if (text[at] !== ',') return ~at;
    at = skipSpace(text, at + 1);
  }
}

function endOfMember(text: string, start: number): number {
  if (text[start] !== '"') return ~start;
  const end = endOfString(text, start);
  if (end < 0) return end;
  const colon = skipSpace(text, end);
  return text[colon] === ':' ? endOfValue(text, skipSpace(text, colon + 1)) : ~colon;
}

function endOfString(text: string, start: number): number {
  for (let at = start + 1; at < text.length; at += 1) {
    const character = text.charAt(at);
    if (character === '"') return at + 1;
    if (character < ' ') return ~at;
    if (character !== '\\') continue;
    at += 1;
    if (text[at] === 'u') {
      for (let digit = 1; digit <= 4; digit += 1) {
        if (!/[0-9a-f]/i.test(text.charAt(at + digit))) return ~Math.min(at + digit, text.length);
      }
      at += 4;
    } else if (at < text.length && !'"\\/bfnrt'.includes(text.charAt(at))) return ~at;
  }
  return ~text.length;
}

function endOfWord(text: string, start: number, word: string): number {
  for (let index = 0; index < word.length; index += 1) {
    if (text[start + index] !== word[index]) return ~(start + index);
  }
  return start + word.length;
}

function endOfNumber(text: string, start: number): number {
  let at = text[start] === '-' ? start + 1 : start;
  if (text[at] === '0') at += 1;
  else {
    const end = skipDigits(text, at);
    if (end === at) return ~at;
    at = end;
  }
  if (text[at] === '.') {
    const end = skipDigits(text, at + 1);
    if (end === at + 1) return ~end;
    at = end;
  }
  if (text[at] === 'e' || text[at] === 'E') {
    const digits = text[at + 1] === '+' || text[at + 1] === '-' ? at + 2 : at + 1;
    const end = skipDigits(text, digits);
    if (end === digits) return ~end;
    at = end;
  }
  return at;
}

function skipDigits(text: string, start: number): number {
  let at = start;
  while (text.charAt(at) >= '0' && text.charAt(at) <= '9') at += 1;
  return at;
}

function skipSpace(text: string, start: number): number {
  let at = start;
  while (at < text.length && ' \t\n\r'.includes(text.charAt(at))) at += 1;
  return at;
}
