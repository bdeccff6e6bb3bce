import { stripVTControlCharacters } from 'node:util';

/** Rows of cells, aligned; the last cell of a row ends it. */
export function columns(rows: readonly (readonly string[])[], indent = 0): string {
  const widths: number[] = [];
  for (const row of rows) {
    for (const [at, cell] of row.slice(0, -1).entries()) widths[at] = Math.max(widths[at] ?? 0, widthOf(cell));
  }
  return rows
    .map((row) =>
      `${' '.repeat(indent)}${row.map((cell, at) => padded(cell, at === row.length - 1 ? 0 : (widths[at] ?? 0) + 2)).join('')}`.trimEnd(),
    )
    .join('\n');
}

const widthOf = (cell: string): number => stripVTControlCharacters(cell).length;
const padded = (cell: string, width: number): string => cell + ' '.repeat(Math.max(0, width - widthOf(cell)));

/** A table with a head; without rows it is the sentence. */
export function table(head: readonly string[], rows: readonly (readonly string[])[], none: string): string {
  return rows.length === 0 ? none : columns([head.map((cell) => cell.toUpperCase()), ...rows]);
}
