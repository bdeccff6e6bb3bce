import { createHash, timingSafeEqual } from 'node:crypto';
import type { Socket } from 'node:net';
import { type Logger, messageOf } from '@code-executor/platform';
import {
  type ContainerAnswer,
  type ContainerOrder,
  type ContainerRequest,
  containerOrderSchema,
  containerRequestSchema,
} from '@code-executor/sandbox';
import type { ContainerMaker, MadeContainer } from './container-maker.ts';
import { Refused } from './refused.ts';
import type { SnapshotReceiver, SnapshotStore } from './snapshot-store.ts';

export interface OrderDeps {
  readonly key: string;
  readonly maker: ContainerMaker;
  readonly snapshots: SnapshotStore;
  readonly log: Pick<Logger, 'info' | 'warn'>;
}

/** A line holds at most one file of a snapshot. */
const LINE_MAXIMUM = 16 * 1024 * 1024;
/** Whoever connects and says nothing is let go. */
const FIRST_LINE_MS = 10_000;

/** One connection from its first line to its end, which is the end of its container. Never rejects. */
export async function serveOrder(socket: Socket, deps: OrderDeps): Promise<void> {
  const lines = readLines(socket);
  const answer = (line: ContainerAnswer): void => {
    if (socket.writable) socket.write(`${JSON.stringify(line)}\n`);
  };
  let container: MadeContainer | null = null;
  let receiver: SnapshotReceiver | null = null;
  try {
    const order = parseOrder((await lines.next()).value, deps.key);
    let snapshot = order.snapshot === null ? null : deps.snapshots.take(order.snapshot);
    if (order.snapshot !== null && snapshot === null) {
      answer({ type: 'missing' });
      receiver = deps.snapshots.receive();
      await receive(lines, receiver, order.snapshot);
      snapshot = deps.snapshots.take(order.snapshot);
    }
    container = await deps.maker.make(order, snapshot, () => answer({ type: 'out-of-memory' }));
    answer({ type: 'place', directory: container.directory });
    await follow(lines, container, answer);
    await container.remove();
    answer({ type: 'gone', reason: null });
  } catch (error) {
    const reason = messageOf(error);
    if (!(error instanceof Refused)) deps.log.warn({ err: error }, `a container could not be had: ${reason}`);
    answer(container === null ? { type: 'refused', reason: reason.slice(0, 2_000) } : { type: 'gone', reason: reason.slice(0, 2_000) });
  } finally {
    await receiver?.discard();
    await container
      ?.remove()
      .catch((error: unknown) => deps.log.warn({ err: error }, `a container could not be removed: ${messageOf(error)}`));
    socket.end();
  }
}

function parseOrder(line: string | undefined, key: string): ContainerOrder {
  if (line === undefined) throw new Refused('nothing was ordered');
  const parsed = containerOrderSchema.safeParse(parseJson(line));
  if (!parsed.success)
    throw new Refused(`this is no order: ${parsed.error.issues.map(({ path, message }) => `${path.join('.')} ${message}`).join('; ')}`);
  // Digests, so that lengths do not differ.
  if (!timingSafeEqual(digest(parsed.data.key), digest(key))) throw new Refused('the key is not the one of this service');
  return parsed.data;
}

const digest = (text: string): Buffer => createHash('sha256').update(text).digest();

async function receive(lines: AsyncGenerator<string, undefined>, receiver: SnapshotReceiver, named: string): Promise<void> {
  for (let line = await lines.next(); !line.done; line = await lines.next()) {
    const request = parseRequest(line.value);
    if (request.type === 'file') await receiver.add({ ...request, content: Buffer.from(request.content, 'base64') });
    else if (request.type === 'link') await receiver.add(request);
    else if (request.type === 'stored') return void (await receiver.finish(named));
    else throw new Refused(`${request.type} was not expected before the snapshot is whole`);
  }
  throw new Refused('the connection ended before the snapshot was whole');
}

/** Until the one who asked has had enough, is gone, or the container is. */
async function follow(
  lines: AsyncGenerator<string, undefined>,
  container: MadeContainer,
  answer: (line: ContainerAnswer) => void,
): Promise<void> {
  for (let line = await lines.next(); !line.done; line = await lines.next()) {
    const { type } = parseRequest(line.value);
    if (type === 'start') await container.start();
    else if (type === 'memory') answer({ type: 'memory', outOfMemory: await container.ranOutOfMemory() });
    else if (type === 'remove') return;
    else throw new Refused(`${type} was not expected here`);
  }
}

function parseRequest(line: string): ContainerRequest {
  const parsed = containerRequestSchema.safeParse(parseJson(line));
  if (!parsed.success) throw new Refused('this is no request');
  return parsed.data;
}

function parseJson(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch {
    throw new Refused('this is no JSON text');
  }
}

/** Lines as they come; ends with the connection. A line that is too long, and one that never comes, ends it. */
async function* readLines(socket: Socket): AsyncGenerator<string, undefined> {
  socket.setTimeout(FIRST_LINE_MS, () => socket.destroy());
  socket.on('error', () => socket.destroy());
  let rest: Buffer[] = [];
  let length = 0;
  try {
    for await (const chunk of socket as AsyncIterable<Buffer>) {
      let from = 0;
      for (let at = chunk.indexOf(10); at >= 0; at = chunk.indexOf(10, from)) {
        socket.setTimeout(0);
        const line = Buffer.concat([...rest, chunk.subarray(from, at)]).toString('utf8');
        rest = [];
        length = 0;
        from = at + 1;
        yield line;
      }
      rest.push(chunk.subarray(from));
      length += chunk.length - from;
      if (length > LINE_MAXIMUM) return undefined;
    }
  } catch {
    // The connection broke: the end of it is all there is to know.
  }
  return undefined;
}
