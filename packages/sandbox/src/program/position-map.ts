/**
 * Where prepare inserted text into, or moved text within, the program that the runtime executes. Lines and columns count from
 * 1, columns in UTF-16 units. Lines that are not named are the user's own.
 */
export interface PositionMap {
  /** From this column of this line on, `length` columns were inserted by us. In order of line and column of the executed text. */
  readonly inserted: readonly { readonly line: number; readonly column: number; readonly length: number }[];
  /** Blocks of `lines` lines that stand at the executed `line` and came from the user's `fromLine`, `fromColumn`. */
  readonly moved: readonly { readonly line: number; readonly lines: number; readonly fromLine: number; readonly fromColumn: number }[];
}

export const IDENTITY_POSITIONS: PositionMap = { inserted: [], moved: [] };

export interface Position {
  readonly line: number;
  readonly column: number;
}

/** The user's own position of one in the executed program. A position inside inserted text becomes the place of the insertion. */
export function toUserPosition(map: PositionMap, at: Position): Position {
  for (const block of map.moved) {
    if (at.line < block.line || at.line >= block.line + block.lines) continue;
    const line = block.fromLine + at.line - block.line;
    return { line, column: at.line === block.line ? at.column + block.fromColumn - 1 : at.column };
  }
  let column = at.column;
  for (const { line, column: from, length } of map.inserted) {
    if (line === at.line && at.column > from) column -= Math.min(length, at.column - from);
  }
  return { line: at.line, column };
}
