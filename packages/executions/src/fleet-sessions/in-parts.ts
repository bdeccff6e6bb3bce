import type { Readable } from 'node:stream';

/** A round trip and a row each; larger ones are held several times over on their way through the driver. */
const PART_BYTES = 1024 * 1024;

/** The same bytes in pieces of a megabyte, the last one less. Nothing for an empty stream. */
export async function* inParts(content: Readable): AsyncGenerator<Buffer> {
  let gathered: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of content) {
    let rest = chunk as Buffer;
    while (bytes + rest.length >= PART_BYTES) {
      const room = PART_BYTES - bytes;
      yield Buffer.concat([...gathered, rest.subarray(0, room)]);
      rest = rest.subarray(room);
      gathered = [];
      bytes = 0;
    }
    if (rest.length === 0) continue;
    gathered.push(rest);
    bytes += rest.length;
  }
  if (bytes > 0) yield Buffer.concat(gathered);
}
