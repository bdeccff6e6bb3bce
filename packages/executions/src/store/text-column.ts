/**
 * PostgreSQL's text cannot hold U+0000, programs can print it. U+0010 (data link escape) marks the two characters
 * that are written in another way; every string comes back as it was.
 */
const ESCAPE = '\u0010';
const NUL = '\u0000';

export function toTextColumn(text: string): string {
  if (!text.includes(NUL) && !text.includes(ESCAPE)) return text;
  return text.replaceAll(ESCAPE, `${ESCAPE}e`).replaceAll(NUL, `${ESCAPE}0`);
}

export function fromTextColumn(column: string): string {
  if (!column.includes(ESCAPE)) return column;
  return column.replaceAll(`${ESCAPE}0`, NUL).replaceAll(`${ESCAPE}e`, ESCAPE);
}
