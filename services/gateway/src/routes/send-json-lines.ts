import { Readable } from 'node:stream';
import { AppError } from '@code-executor/platform';
import type { FastifyReply, FastifyRequest } from 'fastify';

export interface JsonLines<Item> {
  readonly items: AsyncIterable<Item>;
  line(item: Item): string;
  /** Whether who asked may still have it; asked before each line, and little more than a look into a map. */
  mayGoOn(): Promise<boolean>;
}

/** One item in memory at a time. The connection is cut where it cannot go on: an answer that ends by itself is whole. */
export async function sendJsonLines<Item>(
  request: FastifyRequest,
  reply: FastifyReply,
  { items, ...rest }: JsonLines<Item>,
): Promise<FastifyReply> {
  const iterator = items[Symbol.asyncIterator]();
  // A database that is away is an answer of its own, and not a stream that breaks off.
  const first = await iterator.next();
  return reply
    .header('content-type', 'application/x-ndjson; charset=utf-8')
    .header('x-accel-buffering', 'no')
    .send(Readable.from(lines(first, iterator, rest, request), { objectMode: true, highWaterMark: 1 }) as never);
}

/** A key that is revoked meanwhile ends it as a fault does: without the end of the answer. */
async function* lines<Item>(
  first: IteratorResult<Item>,
  items: AsyncIterator<Item>,
  { line, mayGoOn }: Omit<JsonLines<Item>, 'items'>,
  request: FastifyRequest,
): AsyncGenerator<string> {
  try {
    for (let next = first; next.done !== true; next = await items.next()) {
      if (!(await mayGoOn())) throw new AppError('UNAUTHENTICATED', 'The key was revoked or expired during its export.');
      yield `${onOneLine(line(next.value))}\n`;
    }
  } catch (error) {
    request.log.warn({ err: error }, 'an export was broken off');
    throw error;
  } finally {
    await items.return?.();
  }
}

/** In a JSON text a line feed is white space between two tokens, which a program's own result may have: what follows it would be a record of its own. */
const onOneLine = (json: string): string => json.replaceAll(/[\n\r]/g, ' ');
