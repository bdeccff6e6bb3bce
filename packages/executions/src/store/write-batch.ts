export interface WriteBatch<Item, Result> {
  /** Resolves when the item's statement has committed. */
  add(item: Item): Promise<Result>;
}

interface Waiting<Item, Result> {
  readonly item: Item;
  readonly bytes: number;
  resolve(result: Result): void;
  reject(error: unknown): void;
}

/**
 * Group commit: what arrives in one turn of the event loop, or while a statement is under way, is written by one
 * statement. On PGlite a statement costs the main thread about 0.3 ms whether it carries one row or sixteen.
 *
 * `write` answers one result per item, in order. When it throws for several items, each is written alone, so that a
 * row the database refuses fails nobody else.
 */
export function createWriteBatch<Item, Result>(options: {
  readonly write: (items: readonly Item[]) => Promise<readonly Result[]>;
  readonly weigh: (item: Item) => number;
  readonly maxItems?: number;
  /** A statement's parameters are copied several times on their way; more than this goes into the next one. */
  readonly maxBytes?: number;
}): WriteBatch<Item, Result> {
  const { write, weigh, maxItems = 16, maxBytes = 1_000_000 } = options;
  const waiting: Waiting<Item, Result>[] = [];
  let draining = false;

  return {
    add: (item) =>
      new Promise((resolve, reject) => {
        waiting.push({ item, bytes: weigh(item), resolve, reject });
        if (draining) return;
        draining = true;
        setImmediate(drain);
      }),
  };

  async function drain(): Promise<void> {
    while (waiting.length > 0) await writeTogether(takeBatch());
    draining = false;
  }

  function takeBatch(): Waiting<Item, Result>[] {
    let bytes = 0;
    let count = 0;
    for (const { bytes: itemBytes } of waiting) {
      if (count > 0 && (count === maxItems || bytes + itemBytes > maxBytes)) break;
      bytes += itemBytes;
      count += 1;
    }
    return waiting.splice(0, count);
  }

  async function writeTogether(batch: readonly Waiting<Item, Result>[]): Promise<void> {
    try {
      const results = await write(batch.map(({ item }) => item));
      for (const [index, entry] of batch.entries()) entry.resolve(results[index] as Result);
    } catch (error) {
      if (batch.length === 1) for (const entry of batch) entry.reject(error);
      else for (const entry of batch) await writeTogether([entry]);
    }
  }
}
