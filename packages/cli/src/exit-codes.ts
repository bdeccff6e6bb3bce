/** What a shell sees; docs/cli.md has the table. A program that leaves with a code of its own is that code. */
export const EXIT = {
  done: 0,
  /** The program, the tool or the request failed. */
  failed: 1,
  usage: 2,
  /** No service answers. */
  unreachable: 3,
  /** No key, an unknown one, or one whose role is too low. */
  notAllowed: 4,
  /** It waits for a human's decision. */
  paused: 5,
  /** What was named is not there. */
  notFound: 6,
  timedOut: 124,
  interrupted: 130,
} as const;

const BY_CODE: Readonly<Record<string, number>> = {
  NETWORK_ERROR: EXIT.unreachable,
  UNAUTHENTICATED: EXIT.notAllowed,
  FORBIDDEN: EXIT.notAllowed,
  TOOL_BLOCKED: EXIT.notAllowed,
  EXECUTION_PAUSED: EXIT.paused,
  CLIENT_TIMEOUT: EXIT.timedOut,
};

export function exitCodeOf(code: string): number {
  if (code === 'NOT_FOUND' || code.endsWith('_NOT_FOUND')) return EXIT.notFound;
  return BY_CODE[code] ?? EXIT.failed;
}
