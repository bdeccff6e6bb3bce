import type { Database } from '@code-executor/platform';
import type { Kysely } from 'kysely';
import type { ExecutionTables } from './tables.ts';
import { fromTextColumn, toTextColumn } from './text-column.ts';

/**
 * UTF-16 units. The embedded database works on the main thread: a 10 MB result in one statement would hold up every
 * other request for 150 to 500 ms, a part of this size for 1 to 3.
 */
const PART_LENGTH = 128 * 1024;
/** PostgreSQL works elsewhere; there a part costs a round trip and a commit. */
const POSTGRES_PART_LENGTH = 2 * 1024 * 1024;

export interface ResultParts {
  /** Of one part. */
  readonly longestBytes: number;
  /** Whether it is to be written in parts at all. */
  isLong(resultJson: string): boolean;
  /** Answers the number of parts. They belong to the token: an older holder's are never read. */
  write(executionId: string, token: number, resultJson: string): Promise<number>;
  read(executionId: string, token: number, parts: number): Promise<string>;
}

/** Results too long for one statement. They are written before the end of their execution and count once it refers to them. */
export function createResultParts(query: Kysely<ExecutionTables>, kind: Database['kind']): ResultParts {
  const partLength = kind === 'postgres' ? POSTGRES_PART_LENGTH : PART_LENGTH;
  return {
    longestBytes: partLength,
    isLong: (resultJson) => resultJson.length > partLength,

    async write(executionId, token, resultJson) {
      let part = 0;
      for (const text of split(resultJson, partLength)) {
        await query
          .insertInto('execution_result_parts')
          .values({ execution_id: executionId, token, part, text: toTextColumn(text) })
          .onConflict((conflict) => conflict.doNothing())
          .execute();
        part += 1;
        await turn();
      }
      return part;
    },

    async read(executionId, token, parts) {
      const texts: string[] = [];
      for (let part = 0; part < parts; part += 1) {
        const { text } = await query
          .selectFrom('execution_result_parts')
          .select('text')
          .where('execution_id', '=', executionId)
          .where('token', '=', token)
          .where('part', '=', part)
          .executeTakeFirstOrThrow();
        texts.push(fromTextColumn(text));
        await turn();
      }
      return texts.join('');
    },
  };
}

/** Never between the two halves of a pair of surrogates, which the database would replace. */
function* split(text: string, partLength: number): Generator<string> {
  for (let start = 0; start < text.length; ) {
    let end = start + partLength;
    const last = text.charCodeAt(end - 1);
    if (end < text.length && last >= 0xd800 && last <= 0xdbff) end -= 1;
    yield text.slice(start, end);
    start = end;
  }
}

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
