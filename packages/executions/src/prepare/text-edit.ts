import type { PositionMap } from '@code-executor/sandbox';

/** Changes to a text that leave every line on its line, with the map back. Offsets are those of the text as it came. */
export interface TextEdit {
  /** Inserts one line's worth of text. */
  insert(offset: number, text: string): void;
  /** Turns a range into spaces; its line breaks stay. */
  blank(start: number, end: number): void;
  /** Writes over `length` characters, padded with spaces. */
  overwrite(offset: number, length: number, text: string): void;
  /** Blanks a range and puts it, line breaks, insertions and all, on lines of its own behind everything. */
  moveToEnd(start: number, end: number): void;
  append(text: string): void;
  finish(): { readonly code: string; readonly positions: PositionMap };
}

export function createTextEdit(source: string): TextEdit {
  const replaced: { start: number; end: number; text: string }[] = [];
  const inserted: { offset: number; text: string }[] = [];
  const moved: { start: number; end: number }[] = [];
  let tail = '';
  const blanked = (start: number, end: number): string => source.slice(start, end).replace(/[^\r\n\u2028\u2029]/g, ' ');
  return {
    insert: (offset, text) => void inserted.push({ offset, text }),
    blank: (start, end) => void replaced.push({ start, end, text: blanked(start, end) }),
    overwrite: (offset, length, text) => void replaced.push({ start: offset, end: offset + length, text: text.padEnd(length) }),
    moveToEnd(start, end) {
      replaced.push({ start, end, text: blanked(start, end) });
      moved.push({ start, end });
    },
    append: (text) => {
      tail += text;
    },
    finish() {
      const placeOf = createPlaces(source);
      // Replacements keep lengths, so offsets stay those of the source until something is inserted.
      const padded = pieced(source, replaced);
      const isMoved = (offset: number): boolean => moved.some(({ start, end }) => offset > start && offset < end);
      const ordered = inserted.filter(({ offset }) => !isMoved(offset)).toSorted((one, other) => one.offset - other.offset);
      const positions: { inserted: PositionMap['inserted'][number][]; moved: PositionMap['moved'][number][] } = { inserted: [], moved: [] };
      let shift = { line: 0, columns: 0 };
      for (const { offset, text } of ordered) {
        const { line, column } = placeOf(offset);
        if (shift.line !== line) shift = { line, columns: 0 };
        positions.inserted.push({ line, column: column + shift.columns, length: text.length });
        shift.columns += text.length;
      }
      let code = pieced(
        padded,
        ordered.map(({ offset, text }) => ({ start: offset, end: offset, text })),
      );
      code += tail;
      for (const { start, end } of moved) {
        let text = source.slice(start, end);
        // What is moved is short and static: a column within it may be off by what was inserted before.
        const within = inserted.filter(({ offset }) => offset > start && offset < end);
        for (const { offset, text: extra } of within.toSorted((one, other) => other.offset - one.offset)) {
          text = text.slice(0, offset - start) + extra + text.slice(offset - start);
        }
        const from = placeOf(start);
        code += '\n';
        positions.moved.push({ line: countLines(code), lines: countLines(text), fromLine: from.line, fromColumn: from.column });
        code += text;
      }
      return { code, positions };
    },
  };
}

/** The source with each range, none of which overlap, replaced. */
function pieced(source: string, ranges: readonly { readonly start: number; readonly end: number; readonly text: string }[]): string {
  const pieces: string[] = [];
  let from = 0;
  for (const { start, end, text } of ranges.toSorted((one, other) => one.start - other.start)) {
    pieces.push(source.slice(from, start), text);
    from = end;
  }
  return pieces.join('') + source.slice(from);
}

/** Line breaks as the runtimes count them. */
const LINE_BREAK = /\r\n|[\n\r\u2028\u2029]/g;

const countLines = (text: string): number => (text.match(LINE_BREAK)?.length ?? 0) + 1;

/** Line and column, both from 1, of an offset. */
function createPlaces(source: string): (offset: number) => { line: number; column: number } {
  const starts = [0, ...Array.from(source.matchAll(LINE_BREAK), (match) => match.index + match[0].length)];
  return (offset) => {
    let low = 0;
    for (let high = starts.length; high - low > 1; ) {
      const middle = (low + high) >> 1;
      if ((starts[middle] ?? 0) <= offset) low = middle;
      else high = middle;
    }
    return { line: low + 1, column: offset - (starts[low] ?? 0) + 1 };
  };
}
