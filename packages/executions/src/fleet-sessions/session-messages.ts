/** On `CHANNELS.sessions`. Each only says that a look is worth while: rows are the truth, and who misses one looks by itself. */
export type SessionMessage =
  /** The execution waits for this worker. */
  | { readonly kind: 'run'; readonly workerId: string; readonly executionId: string }
  /** Something waits for this worker. */
  | { readonly kind: 'look'; readonly workerId: string }
  /** The transfer is answered. */
  | { readonly kind: 'done'; readonly transferId: string };

export function writeSessionMessage(message: SessionMessage): string {
  if (message.kind === 'run') return `run ${message.workerId} ${message.executionId}`;
  return message.kind === 'look' ? `look ${message.workerId}` : `done ${message.transferId}`;
}

/** null: no message of this kind. */
export function readSessionMessage(text: string): SessionMessage | null {
  const [kind, first, second, ...more] = text.slice(0, 300).split(' ');
  if (first === undefined || first === '' || more.length > 0) return null;
  if (kind === 'run') return second === undefined ? null : { kind, workerId: first, executionId: second };
  if (second !== undefined) return null;
  if (kind === 'look') return { kind, workerId: first };
  return kind === 'done' ? { kind, transferId: first } : null;
}
