/** Control characters, and those that turn the direction of text or cannot be seen: what servers and programs say must not steer a terminal. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for.
const STEERING = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]/g;

/** Foreign text with what could steer a terminal or a reader written out. Line feeds and tabs stay. */
export const safeText = (text: string): string =>
  text.replaceAll('\r\n', '\n').replaceAll(STEERING, (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`);

/** The same on one line, cut at a length. */
export function oneLine(text: string, length = 100): string {
  const line = safeText(text).replaceAll(/\s+/g, ' ').trim();
  return line.length <= length ? line : `${line.slice(0, length - 1)}…`;
}
