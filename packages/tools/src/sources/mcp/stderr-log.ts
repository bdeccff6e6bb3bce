import { createLineReader } from './line-reader.ts';
import type { Scrub } from './secrets.ts';

const LINE_LIMIT_CHARACTERS = 2_000;
const LINES_PER_WINDOW = 50;
const WINDOW_MS = 10_000;

/**
 * Hands a server's stderr on line by line, without secrets and control characters, at most 50 lines in 10 s.
 * What was left out is counted and told with the next line that passes.
 */
export function createStderrLog(options: {
  readonly scrub: Scrub;
  readonly now: () => number;
  write(line: string, droppedLines: number): void;
}): {
  push(chunk: Buffer): void;
  /** The last line seen that says something, for the reason of a death. */
  lastLine(): string;
} {
  let windowStart = Number.NEGATIVE_INFINITY;
  let passed = 0;
  let dropped = 0;
  let last = '';
  let before = '';
  const say = (text: string): void => {
    const now = options.now();
    if (now - windowStart >= WINDOW_MS) {
      windowStart = now;
      passed = 0;
    }
    if (passed >= LINES_PER_WINDOW) {
      dropped += 1;
      return;
    }
    const clean = options.scrub(text);
    const isRest = options.scrub.findsSplit?.([before, clean]) === true;
    before = clean;
    const line = isRest ? '(withheld: with the line before, it holds a credential)' : printable(clean);
    if (line === '') return;
    if (!AFTERMATH.test(line)) last = line;
    passed += 1;
    options.write(line, dropped);
    dropped = 0;
  };
  const lines = createLineReader({
    capBytes: 64 * 1024,
    onLine: say,
    // The cut may have gone through a secret, which would then not be recognised: only the size is told.
    onOversized: (line) => say(`(a line of ${line.bytes} bytes)`),
  });
  return { push: (chunk) => lines.push(chunk), lastLine: () => last };
}

/** What Node prints below the line that says what went wrong. */
const AFTERMATH = /^(?:at .+|[\]})^,;]+|(?:code|errno|syscall|path|requireStack): .*|Node\.js v[\d.]+)$/;

/** Colours and cursor movements; spelt out of the literal, where a control character looks like a slip. */
const TERMINAL_SEQUENCE = new RegExp(`${String.fromCharCode(27)}\\[[0-9;?]*[A-Za-z]`, 'g');

/** One line, cut, without what a terminal would obey. */
export function printable(text: string, limit: number = LINE_LIMIT_CHARACTERS): string {
  const clean = text
    .replace(TERMINAL_SEQUENCE, '')
    .replace(/[\p{Cc}\u200e\u200f\u202a-\u202e\u2066-\u2069]+/gu, ' ')
    .trim();
  return clean.length > limit ? `${clean.slice(0, limit)}…` : clean;
}
