import type { ExecutionEvent, ExecutionStatus } from '@code-executor/contracts';
import type { ExecutionRecord } from '../port.ts';
import { assertEventId, eventsGone } from './event-log.ts';

/**
 * One entry per event, by id: `["s", status, ms]`, `["t", tool, outcome, durationMs]`, a number: that many UTF-16
 * units of the kept output, a string: output that is not part of it, `["g", n]`: n events that were dropped.
 * The `ended` event is the execution's own end and not written.
 */
type StoredEvent = number | string | ['s', ExecutionStatus, number] | ['t', string, string, number] | ['g', number];

/**
 * `output`: what is kept in the row. Output events that are its slices need not be written a second time.
 * `lastId`: of the last event there was; those after the last one kept were dropped.
 */
export function storeEvents(events: readonly ExecutionEvent[], lastId: number, output: string): string {
  const texts = events.flatMap((event) => (event.type === 'output' ? [event.data.text] : []));
  const sliced = texts.join('') === output;
  const stored: StoredEvent[] = [];
  let previousId = 0;
  for (const event of events) {
    if (event.id > previousId + 1) stored.push(['g', event.id - previousId - 1]);
    previousId = event.id;
    if (event.type === 'status') stored.push(['s', event.data.status, Date.parse(event.data.at)]);
    else if (event.type === 'tool_call') stored.push(['t', event.data.tool, event.data.outcome, event.data.durationMs]);
    else if (event.type === 'output') stored.push(sliced ? event.data.text.length : event.data.text);
  }
  if (lastId > previousId) stored.push(['g', lastId - previousId]);
  return JSON.stringify(stored);
}

/** The events of an ended execution above `afterId`. `eventsJson` null: those of its run died with their process. */
export function replayEvents(record: ExecutionRecord, eventsJson: string | null, afterId: number): ExecutionEvent[] {
  const { events, dropped } = readEvents(record, eventsJson);
  const lastId = events.at(-1)?.id ?? 0;
  // Nobody knows how far the ids had come.
  if (eventsJson === null && Number.isSafeInteger(afterId) && afterId >= lastId) throw eventsGone(afterId);
  assertEventId(afterId, lastId);
  if (dropped !== null && afterId >= dropped.first && afterId < dropped.last) throw eventsGone(afterId);
  return events.filter(({ id }) => id > afterId);
}

/** What a follower who came as far as `afterId` has not seen; dropped output is passed over, as it is in a live log. */
export function remainingEvents(record: ExecutionRecord, eventsJson: string | null, afterId: number): ExecutionEvent[] {
  if (eventsJson === null) return [{ id: afterId + 1, type: 'ended', data: { status: record.status, error: record.error } }];
  return readEvents(record, eventsJson).events.filter(({ id }) => id > afterId);
}

function readEvents(
  record: ExecutionRecord,
  eventsJson: string | null,
): { events: ExecutionEvent[]; dropped: { first: number; last: number } | null } {
  const stored: StoredEvent[] = eventsJson === null ? [['s', 'queued', Date.parse(record.createdAt)]] : JSON.parse(eventsJson);
  const events: ExecutionEvent[] = [];
  let dropped = null as { first: number; last: number } | null;
  let id = 0;
  let offset = 0;
  for (const entry of stored) {
    id += 1;
    if (typeof entry === 'string') events.push({ id, type: 'output', data: { text: entry } });
    else if (typeof entry === 'number') {
      events.push({ id, type: 'output', data: { text: record.output.slice(offset, offset + entry) } });
      offset += entry;
    } else if (entry[0] === 's') events.push({ id, type: 'status', data: { status: entry[1], at: new Date(entry[2]).toISOString() } });
    else if (entry[0] === 't') events.push({ id, type: 'tool_call', data: { tool: entry[1], outcome: entry[2], durationMs: entry[3] } });
    else {
      const last = id + entry[1] - 1;
      dropped = { first: dropped?.first ?? id, last };
      id = last;
    }
  }
  events.push({ id: id + 1, type: 'ended', data: { status: record.status, error: record.error } });
  return { events, dropped };
}
