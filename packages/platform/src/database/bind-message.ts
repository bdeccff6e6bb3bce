/**
 * The messages that run a prepared statement, as PGlite takes them (PostgreSQL's protocol 3.0: Bind, Execute, Sync), in one piece. PGlite's
 * own writer copies each part several times: 0.1 ms for a statement that came after a pause.
 */
export function bindMessage(statement: string, values: readonly (string | null)[]): Uint8Array {
  const lengths = values.map((value) => (value === null ? 0 : Buffer.byteLength(value)));
  const nameLength = Buffer.byteLength(statement);
  const bindLength = lengths.reduce((sum, length) => sum + 4 + length, 4 + 1 + nameLength + 1 + 2 + 2 + 2);
  const message = Buffer.allocUnsafe(1 + bindLength + EXECUTE_AND_SYNC.length);
  message[0] = 0x42;
  let at = message.writeInt32BE(bindLength, 1);
  // The unnamed portal.
  message[at] = 0;
  at += 1 + message.write(statement, at + 1);
  message[at] = 0;
  // All parameters as text.
  at = message.writeInt16BE(0, at + 1);
  at = message.writeUInt16BE(values.length, at);
  for (const [index, value] of values.entries()) {
    at = message.writeInt32BE(value === null ? -1 : (lengths[index] ?? 0), at);
    if (value !== null) at += message.write(value, at);
  }
  // All columns as text.
  at = message.writeInt16BE(0, at);
  EXECUTE_AND_SYNC.copy(message, at);
  return message;
}

/** Of the unnamed portal, all rows; then Sync. */
const EXECUTE_AND_SYNC = Buffer.from([0x45, 0, 0, 0, 9, 0, 0, 0, 0, 0, 0x53, 0, 0, 0, 4]);
