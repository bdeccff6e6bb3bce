import { setTimeout as sleep } from 'node:timers/promises';
import { type EventStream, followEvents, outputOf, type ReceivedEvent } from '../support/events.ts';
import type { Api } from './run-program.ts';

/** An execution's live log as a client has it that reconnects again and again. */
export interface FollowedLog {
  readonly text: string;
  readonly connections: number;
  /** The end came with the log. */
  readonly complete: boolean;
  /** 410: its run's events died with its worker. The judge knows whether they may. */
  readonly gone: boolean;
  readonly problems: readonly string[];
}

const CONNECT_MS = 6_000;

/** Hangs up now and then, goes on at another gateway after the last id it has, and holds the ids to 1, 2, 3 … */
export async function followToEnd(executionId: string, turn: number, { gateways, key }: Api, deadline: number): Promise<FollowedLog> {
  const received: ReceivedEvent[] = [];
  const problems: string[] = [];
  let connections = 0;
  let gone = false;
  while (performance.now() < deadline && !gone && received.at(-1)?.type !== 'ended') {
    const url = gateways[(turn + connections) % gateways.length] ?? '';
    connections += 1;
    const stream = await connect({ url, key }, executionId, received.length);
    if (stream === null || stream.status >= 500) stream?.close();
    else if (stream.status !== 200) {
      gone = stream.status === 410;
      if (!gone)
        problems.push(
          `the log after event ${received.length} was refused with ${stream.status}: ${JSON.stringify(await stream.refusal())}`,
        );
      stream.close();
      if (!gone) break;
    } else await take(stream);
    await sleep(50 + Math.random() * 200);
  }
  const complete = received.at(-1)?.type === 'ended';
  if (!complete && !gone && problems.length === 0) problems.push('its log never came to an end');
  return { text: outputOf(received), connections, complete, gone, problems };

  async function take(stream: EventStream): Promise<void> {
    await Promise.race([stream.ended, sleep(100 + Math.random() * 1_500)]);
    stream.close();
    for (const event of stream.events) {
      // Without an id: why this stream ends before the execution does.
      if (event.id === null) continue;
      if (event.id !== received.length + 1) problems.push(`event ${event.id} came after ${received.length}`);
      received.push(event);
    }
  }
}

async function connect(service: { readonly url: string; readonly key: string }, id: string, after: number): Promise<EventStream | null> {
  const connecting = followEvents(service, id, after === 0 ? {} : { lastEventId: after });
  const late = sleep(CONNECT_MS, null, { ref: false });
  try {
    const stream = await Promise.race([connecting, late]);
    if (stream === null) void connecting.then((opened) => opened.close()).catch(() => undefined);
    return stream;
  } catch {
    return null; // The gateway is down; the next one is asked.
  }
}
