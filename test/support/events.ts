import { type ClientRequest, type IncomingMessage, request } from 'node:http';
import type { Service } from './start-service.ts';

/** One server-sent event as a client gets it. `id` is null for those that tell why the stream ends early. */
export interface ReceivedEvent {
  readonly id: number | null;
  readonly type: string;
  readonly data: Record<string, unknown>;
  readonly receivedMs: number;
}

export interface EventStream {
  readonly status: number;
  /** All that was received so far. */
  readonly events: readonly ReceivedEvent[];
  /** Resolves with the first event that fits, also one received before; rejects when the stream ends first. */
  until(fits: (event: ReceivedEvent) => boolean): Promise<ReceivedEvent>;
  /** Resolves with everything when the service ended the stream. */
  readonly ended: Promise<readonly ReceivedEvent[]>;
  /** Body of an answer that is no stream. */
  refusal(): Promise<unknown>;
  pause(): void;
  resume(): void;
  close(): void;
}

/** Follows the live log of an execution. */
export async function followEvents(
  service: Pick<Service, 'url' | 'key'>,
  executionId: string,
  options: { readonly key?: string; readonly lastEventId?: string | number } = {},
): Promise<EventStream> {
  const headers = {
    authorization: `Bearer ${options.key ?? service.key}`,
    ...(options.lastEventId === undefined ? {} : { 'last-event-id': String(options.lastEventId) }),
  };
  const call = request(`${service.url}/executions/${executionId}/events`, { headers, agent: false });
  const answer = await new Promise<IncomingMessage>((resolve, reject) => {
    call.once('response', resolve);
    call.once('error', reject);
    call.end();
  });
  return readEvents(call, answer);
}

function readEvents(call: ClientRequest, answer: IncomingMessage): EventStream {
  const events: ReceivedEvent[] = [];
  const watchers = new Set<() => void>();
  let text = '';
  let over = false;
  answer.setEncoding('utf8');
  answer.on('data', (chunk: string) => {
    text += chunk;
    for (let end = text.indexOf('\n\n'); end !== -1; end = text.indexOf('\n\n')) {
      const event = parseEvent(text.slice(0, end));
      if (event !== null) events.push(event);
      text = text.slice(end + 2);
    }
    for (const look of watchers) look();
  });
  call.on('error', () => answer.destroy());
  const ended = new Promise<readonly ReceivedEvent[]>((resolve) => {
    answer.once('close', () => {
      over = true;
      for (const look of watchers) look();
      resolve(events);
    });
  });
  return {
    status: answer.statusCode ?? 0,
    events,
    ended,
    until: (fits) =>
      new Promise((resolve, reject) => {
        const look = (): void => {
          const found = events.find(fits);
          if (found === undefined && !over) return;
          watchers.delete(look);
          if (found !== undefined) resolve(found);
          else reject(new Error(`The stream ended without it: ${JSON.stringify(events.slice(-3))}`));
        };
        watchers.add(look);
        look();
      }),
    refusal: async () => {
      await ended;
      return JSON.parse(text);
    },
    pause: () => answer.pause(),
    resume: () => answer.resume(),
    close: () => call.destroy(),
  };
}

function parseEvent(block: string): ReceivedEvent | null {
  const fields = new Map(
    block
      .split('\n')
      .filter((line) => !line.startsWith(':'))
      .map((line) => [line.slice(0, line.indexOf(':')), line.slice(line.indexOf(':') + 2)]),
  );
  const data = fields.get('data');
  if (data === undefined) return null;
  const id = fields.get('id');
  return {
    id: id === undefined ? null : Number(id),
    type: fields.get('event') ?? 'message',
    data: JSON.parse(data),
    receivedMs: performance.now(),
  };
}

/** The text of all output events. */
export const outputOf = (events: readonly ReceivedEvent[]): string =>
  events.flatMap(({ type, data }) => (type === 'output' ? [String(data.text)] : [])).join('');
