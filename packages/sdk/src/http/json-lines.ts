import type { Query, RequestOptions, Send } from './send.ts';

/**
 * The records of a JSON Lines answer as they arrive. Not repeated after its beginning, for what is missing of a broken export is
 * not known: a cut connection is an error, and an answer that ends is whole.
 */
export async function* jsonLines<Item>(send: Send, path: string, query: Query, options?: RequestOptions): AsyncGenerator<Item> {
  const { body } = await send({ method: 'GET', path, query, options: { timeoutMs: 0, ...options }, streamed: true });
  if (body === null) return;
  const reader = body.getReader();
  const decoder = new TextDecoder();
  let pending = '';
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) break;
      const lines = (pending + decoder.decode(value, { stream: true })).split('\n');
      pending = lines.pop() ?? '';
      for (const line of lines) yield JSON.parse(line) as Item;
    }
    if (pending !== '') yield JSON.parse(pending) as Item;
  } finally {
    // Also where the consumer stops early: the connection is given up.
    await reader.cancel().catch(() => undefined);
  }
}
