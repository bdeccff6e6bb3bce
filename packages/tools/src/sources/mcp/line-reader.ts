/** A line longer than the cap: what could be kept of it. */
export interface OversizedLine {
  readonly bytes: number;
  readonly head: string;
  readonly tail: string;
}

const KEPT_BYTES = 512;
const NEWLINE = 0x0a;

/** Splits a stream into lines without ever holding more than `capBytes` of one; a longer line is counted and dropped as it passes. */
export function createLineReader(options: {
  readonly capBytes: number;
  onLine(line: string): void;
  onOversized(line: OversizedLine): void;
  /** Called as an oversized line grows: its bytes so far. */
  onGrowing?(bytes: number): void;
}): { push(chunk: Buffer): void } {
  let parts: Buffer[] = [];
  let bytes = 0;
  let oversized: { head: string; tail: Buffer } | null = null;

  const add = (piece: Buffer): void => {
    bytes += piece.length;
    if (oversized !== null) {
      oversized.tail = lastBytes(oversized.tail, piece);
      options.onGrowing?.(bytes);
      return;
    }
    parts.push(piece);
    if (bytes <= options.capBytes) return;
    const kept = Buffer.concat(parts);
    parts = [];
    oversized = { head: kept.toString('utf8', 0, KEPT_BYTES), tail: lastBytes(Buffer.alloc(0), kept) };
  };
  const finish = (): void => {
    if (oversized !== null) options.onOversized({ bytes, head: oversized.head, tail: oversized.tail.toString('utf8') });
    else {
      const line = parts.length === 1 && parts[0] !== undefined ? parts[0] : Buffer.concat(parts);
      options.onLine(line.toString('utf8', 0, line.at(-1) === 0x0d ? line.length - 1 : line.length));
    }
    parts = [];
    bytes = 0;
    oversized = null;
  };

  return {
    push(chunk) {
      let start = 0;
      for (let end = chunk.indexOf(NEWLINE); end !== -1; end = chunk.indexOf(NEWLINE, start)) {
        if (end > start) add(chunk.subarray(start, end));
        finish();
        start = end + 1;
      }
      if (start < chunk.length) add(chunk.subarray(start));
    },
  };
}

function lastBytes(before: Buffer, piece: Buffer): Buffer {
  const joined = piece.length >= KEPT_BYTES ? piece : Buffer.concat([before, piece]);
  // A copy: a view would keep the whole chunk alive.
  return Buffer.from(joined.subarray(Math.max(0, joined.length - KEPT_BYTES)));
}
