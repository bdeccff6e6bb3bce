/** More than the service's largest event (64 KB of output, escaped). */
const EVENT_LIMIT = 16 * 1024 * 1024;

export interface ServerEvent {
  readonly id: string | null;
  readonly type: string;
  readonly data: string;
}

/** The events of a `text/event-stream` body; null for each comment, which is how a service says that it is still there. */
export async function* readEventStream(body: ReadableStream<Uint8Array>): AsyncGenerator<ServerEvent | null> {
  const reader = body.getReader();
  const decoder = new TextDecoder();
  let pending = '';
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      pending += decoder.decode(value, { stream: true }).replaceAll('\r\n', '\n');
      if (pending.length > EVENT_LIMIT) throw new Error('an event of the stream is too large');
      for (let end = pending.indexOf('\n\n'); end !== -1; end = pending.indexOf('\n\n')) {
        yield eventOf(pending.slice(0, end));
        pending = pending.slice(end + 2);
      }
    }
  } finally {
    // Also where the consumer stops early: the connection is given up.
    await reader.cancel().catch(() => undefined);
  }
}

function eventOf(text: string): ServerEvent | null {
  let id: string | null = null;
  let type = 'message';
  const data: string[] = [];
  for (const line of text.split('\n')) {
    const [, field, value] = /^([^:]+):? ?(.*)$/.exec(line) ?? [];
    if (field === 'id') id = value ?? '';
    else if (field === 'event') type = value ?? '';
    else if (field === 'data') data.push(value ?? '');
  }
  return data.length === 0 ? null : { id, type, data: data.join('\n') };
}
