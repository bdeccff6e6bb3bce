import { Readable } from 'node:stream';
import type { Database } from '@code-executor/platform';
import { sql } from 'kysely';
import { fileTooLarge, SESSION_FILE_BYTES } from '../sessions/session-files.ts';
import type { ExecutionTables } from '../store/tables.ts';
import { inParts } from './in-parts.ts';
import type { SessionTransfer, TransferAnswer } from './port.ts';
import type { FoundSession } from './session-store.ts';

export type TransferStore = ReturnType<typeof createTransferStore>;

export interface TransferState {
  /** null: its worker has not answered. */
  readonly answer: TransferAnswer | null;
  /** Its session has ended, or belongs to another worker: nobody will answer. */
  readonly isOrphaned: boolean;
}

/** Of one session at once: each may have 64 MB in the database. */
const AT_ONCE = 4;
const WAITING_MAXIMUM = 16;

/** Files on their way into sessions and out of them: gateways and workers do not reach each other, but both reach the database. */
export function createTransferStore(db: Pick<Database, 'query'>) {
  const query = db.query<ExecutionTables>();

  return {
    /** false: as many as are allowed are on their way. A `write` is not for its worker before `ready`. */
    async begin({ id, act, path }: Omit<SessionTransfer, 'incarnation'>, { incarnation, workerId }: FoundSession): Promise<boolean> {
      const { rows } = await sql`
        insert into session_transfers (id, incarnation, worker_id, act, path, ready)
        select ${id}, ${incarnation}, ${workerId}, ${act}, ${path}, ${act !== 'write'}
        where (select count(*) from session_transfers where incarnation = ${incarnation}) < ${AT_ONCE}
        returning 1`.execute(query);
      return rows.length > 0;
    },
    async ready(id: string): Promise<void> {
      await sql`update session_transfers set ready = true where id = ${id}`.execute(query);
    },
    async state(id: string): Promise<TransferState> {
      const { rows } = await sql<{ answer: string | null; alive: boolean }>`
        select t.answer_json as answer, s.incarnation is not null as alive
        from session_transfers t
        left join fleet_sessions s on s.incarnation = t.incarnation and s.worker_id = t.worker_id and s.lost_reason is null
        where t.id = ${id}`.execute(query);
      const [row] = rows;
      if (row === undefined) return { answer: null, isOrphaned: true };
      return { answer: row.answer === null ? null : (JSON.parse(row.answer) as TransferAnswer), isOrphaned: !row.alive };
    },
    async remove(id: string): Promise<void> {
      await sql`delete from session_transfers where id = ${id}`.execute(query);
    },

    /** What this worker has not answered. */
    async waiting(workerId: string): Promise<SessionTransfer[]> {
      const { rows } = await sql<SessionTransfer>`
        select id, incarnation, act, path from session_transfers
        where worker_id = ${workerId} and ready and answer_json is null order by created_at limit ${WAITING_MAXIMUM}`.execute(query);
      return rows.map(({ id, incarnation, act, path }) => ({ id, incarnation, act, path }));
    },
    /** Whether this worker is to do this act, and has not answered. */
    async isFor(id: string, workerId: string, act: SessionTransfer['act']): Promise<boolean> {
      const { rows } = await sql`
        select 1 from session_transfers
        where id = ${id} and worker_id = ${workerId} and act = ${act} and ready and answer_json is null`.execute(query);
      return rows.length > 0;
    },
    /** false: nobody waits for it any more, or it is not this worker's. */
    async answer(id: string, workerId: string, answer: TransferAnswer): Promise<boolean> {
      const { rows } = await sql`
        update session_transfers set answer_json = ${JSON.stringify(answer)}
        where id = ${id} and worker_id = ${workerId} and ready and answer_json is null returning 1`.execute(query);
      return rows.length > 0;
    },

    /** Answers the bytes. Throws FILE_TOO_LARGE, and what the content's stream fails with. */
    async write(id: string, path: string, content: Readable): Promise<number> {
      let bytes = 0;
      let part = 0;
      for await (const piece of inParts(content)) {
        bytes += piece.length;
        if (bytes > SESSION_FILE_BYTES) throw fileTooLarge(path);
        await sql`insert into session_transfer_parts (transfer_id, part, content) values (${id}, ${part}, ${piece})
          on conflict (transfer_id, part) do update set content = excluded.content`.execute(query);
        part += 1;
      }
      await sql`delete from session_transfer_parts where transfer_id = ${id} and part >= ${part}`.execute(query);
      return bytes;
    },
    /** What was written, one part at a time. `then` is called when it was read, or nobody reads it any more. */
    read(id: string, then?: () => void): Readable {
      const stream = Readable.from(parts(id), { objectMode: false });
      if (then !== undefined) stream.once('close', then);
      return stream;
    },
  };

  async function* parts(id: string): AsyncGenerator<Buffer> {
    for (let part = 0; ; part += 1) {
      const { rows } = await sql<{ content: Buffer }>`
        select content from session_transfer_parts where transfer_id = ${id} and part = ${part}`.execute(query);
      const [row] = rows;
      if (row === undefined) return;
      yield row.content;
    }
  }
}
