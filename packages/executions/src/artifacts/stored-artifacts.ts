import { Readable } from 'node:stream';
import { AppError, type Database } from '@code-executor/platform';
import type { CollectedArtifacts } from '@code-executor/sandbox';
import { sql } from 'kysely';
import { inParts } from '../fleet-sessions/in-parts.ts';
import type { HeldExecution } from '../ledger/port.ts';
import type { ExecutionTables } from '../store/tables.ts';
import { ARTIFACT_BOUNDS, type ArtifactStore } from './artifact-store.ts';
import { type ArtifactOwner, ownerKey, roomFor } from './room-for.ts';

/** Where workers' artifacts go: rows beside their executions, which go with them. */
export interface StoredArtifacts extends Pick<ArtifactStore, 'list' | 'open'> {
  /** Throws STALE_CLAIM, or FILE_TOO_LARGE where there is no room for it. What is sent twice is kept once. */
  keepFile(held: HeldExecution, name: number, content: Readable, bytes: number): Promise<void>;
  /** From here on they are there. Throws STALE_CLAIM. */
  keepIndex(held: HeldExecution, index: CollectedArtifacts): Promise<void>;
}

const NOTHING: CollectedArtifacts = { files: [], omitted: [] };
const MEGABYTE = 1024 * 1024;
/** All is counted this often at most. */
const USED_FRESH_MS = 10_000;

/** `totalMb`: of all executions together, as far as this process writes them. */
export function createStoredArtifacts(db: Pick<Database, 'query'>, totalMb = 0): StoredArtifacts {
  const query = db.query<ExecutionTables>();
  let used: { readonly atMs: number; readonly bytes: Map<string, number> } | null = null;

  return {
    async keepFile(held, name, content, bytes) {
      const owner = await ownerOf(held);
      await assertRoom(held, owner, name, bytes);
      const { executionId, token } = held;
      await sql`delete from execution_artifact_parts where execution_id = ${executionId} and token = ${token} and name = ${name}`.execute(
        query,
      );
      let part = 0;
      for await (const piece of inParts(content)) {
        await sql`insert into execution_artifact_parts (execution_id, token, name, part, content)
          values (${executionId}, ${token}, ${name}, ${part}, ${piece})`.execute(query);
        part += 1;
      }
    },
    async keepIndex(held, index) {
      const { executionId, token } = held;
      const owner = await ownerOf(held);
      await assertWhole(held, index);
      const bytes = index.files.reduce((sum, file) => sum + file.bytes, 0);
      const { rows } = await sql`
        insert into execution_artifacts (execution_id, token, index_json, bytes)
        select e.id, e.token, ${JSON.stringify(index)}, ${bytes} from executions e
        where e.id = ${executionId} and e.token = ${token} and e.ended_at is null
        on conflict (execution_id) do update set token = excluded.token, index_json = excluded.index_json, bytes = excluded.bytes
        returning 1`.execute(query);
      if (rows.length === 0) throw staleClaim(executionId);
      // It counts from now on, and not only when all is counted again.
      used?.bytes.set(owner, (used.bytes.get(owner) ?? 0) + bytes);
    },
    list: async (executionId) => (await readIndex(executionId)).index,
    async open(executionId, path) {
      const { index, token } = await readIndex(executionId);
      const file = index.files.find((each) => each.path === path);
      if (file === undefined) return null;
      return { bytes: file.bytes, content: Readable.from(parts({ executionId, token }, Number(file.name)), { objectMode: false }) };
    },
  };

  async function readIndex(executionId: string): Promise<{ readonly index: CollectedArtifacts; readonly token: number }> {
    const { rows } = await sql<{ token: number; index: string }>`
      select token, index_json as "index" from execution_artifacts where execution_id = ${executionId}`.execute(query);
    const [row] = rows;
    return row === undefined ? { index: NOTHING, token: 0 } : { index: JSON.parse(row.index) as CollectedArtifacts, token: row.token };
  }

  async function* parts({ executionId, token }: HeldExecution, name: number): AsyncGenerator<Buffer> {
    for (let part = 0; ; part += 1) {
      const { rows } = await sql<{ content: Buffer }>`
        select content from execution_artifact_parts
        where execution_id = ${executionId} and token = ${token} and name = ${name} and part = ${part}`.execute(query);
      const [row] = rows;
      if (row === undefined) return;
      yield row.content;
    }
  }

  /** A worker may be stale, and is not believed. */
  async function ownerOf({ executionId, token }: HeldExecution): Promise<string> {
    const { rows } = await sql<ArtifactOwner>`
      select workspace_id as "workspaceId", principal_id as "principalId" from executions where id = ${executionId} and token = ${token} and ended_at is null`.execute(
      query,
    );
    const [row] = rows;
    if (row === undefined) throw staleClaim(executionId);
    return ownerKey(row);
  }

  async function assertRoom(held: HeldExecution, owner: string, name: number, bytes: number): Promise<void> {
    const others = (await sizes(held)).filter((file) => file.name !== name).reduce((sum, file) => sum + file.bytes, 0);
    if (others + bytes > ARTIFACT_BOUNDS.totalBytes) throw noRoom(`${ARTIFACT_BOUNDS.totalBytes} bytes are kept`);
    const room = roomFor(owner, await usedBytes(), totalMb * MEGABYTE);
    if (others + bytes > room) throw noRoom(`${room} bytes are kept`);
  }

  async function sizes({ executionId, token }: HeldExecution): Promise<readonly { readonly name: number; readonly bytes: number }[]> {
    const { rows } = await sql<{ name: number; bytes: string }>`
      select name, sum(octet_length(content)) as bytes from execution_artifact_parts
      where execution_id = ${executionId} and token = ${token} group by name`.execute(query);
    return rows.map((row) => ({ name: row.name, bytes: Number(row.bytes) }));
  }

  async function usedBytes(): Promise<ReadonlyMap<string, number>> {
    if (used !== null && performance.now() - used.atMs < USED_FRESH_MS) return used.bytes;
    const { rows } = await sql<ArtifactOwner & { bytes: string }>`
      select e.workspace_id as "workspaceId", e.principal_id as "principalId", sum(a.bytes) as bytes
      from execution_artifacts a join executions e on e.id = a.execution_id group by 1, 2`.execute(query);
    used = { atMs: performance.now(), bytes: new Map(rows.map((row) => [ownerKey(row), Number(row.bytes)])) };
    return used.bytes;
  }

  async function assertWhole(held: HeldExecution, { files }: CollectedArtifacts): Promise<void> {
    const kept = new Map((await sizes(held)).map(({ name, bytes }) => [name, bytes]));
    if (files.some(({ name, bytes }) => (kept.get(Number(name)) ?? 0) !== bytes))
      throw new AppError('INVALID_REQUEST', 'The list names a file that has not come, or not all of it.');
  }
}

const noRoom = (message: string): AppError => new AppError('FILE_TOO_LARGE', message);
const staleClaim = (executionId: string): AppError => new AppError('STALE_CLAIM', `The claim on ${executionId} is void.`);
