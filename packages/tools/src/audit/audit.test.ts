import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type AuditRecord, newId, type Principal } from '@code-executor/contracts';
import { createLogger, type Database, openDatabase } from '@code-executor/platform';
import { sql } from 'kysely';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { toolMigrations } from '../migrations.ts';
import type { ToolTables } from '../tables.ts';
import { createAudit } from './audit.ts';
import { startAuditPurge } from './audit-purge.ts';
import type { AuditFilter } from './port.ts';

const DAY_MS = 24 * 60 * 60 * 1_000;
const WORKSPACE = 'wsp_default';
const ADMIN: Principal = { id: 'key_admin', workspaceId: WORKSPACE, role: 'admin', name: 'me' };
const AGENT: Principal = { id: 'key_agent', workspaceId: WORKSPACE, role: 'agent', name: 'ci' };
const log = createLogger({ level: 'silent', service: 'test' });
let directory: string;
let db: Database;
let nowMs = Date.now() - 300 * DAY_MS;
const now = () => nowMs;
const audit = () => createAudit({ db, log, now, findPrincipal: (id) => [ADMIN, AGENT].find((principal) => principal.id === id) ?? null });

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'code-executor-audit-'));
  db = await openDatabase({ directory: join(directory, 'db'), log });
  await db.migrate('tools', toolMigrations);
});
afterAll(async () => {
  await db.close();
  await rm(directory, { recursive: true, force: true });
});

async function called(tool: string, outcome: string | null, executionId: string | null = null): Promise<string> {
  nowMs += 1_000;
  const id = newId('tcl', nowMs);
  const tables = db.query<ToolTables>();
  const names = { workspace_id: WORKSPACE, principal_id: AGENT.id, server: 'github', tool, decision: 'allow', policy_id: 'pol_1' };
  const rest = {
    execution_id: executionId,
    call_number: executionId === null ? null : 1,
    argument_digest: 'd',
    idempotency_key: 'k',
    read_only: false,
  };
  await tables
    .insertInto('tool_calls')
    .values({ id, ...names, ...rest, dispatched_at: new Date(nowMs) })
    .execute();
  if (outcome !== null)
    await tables
      .insertInto('tool_call_outcomes')
      .values({ call_id: id, outcome, duration_ms: 1.5, reply_bytes: 7, finished_at: new Date(nowMs) })
      .execute();
  return id;
}

const list = async (filter: AuditFilter = {}): Promise<readonly AuditRecord[]> =>
  (await audit().list(WORKSPACE, filter, { limit: 100 })).items;
const typesOf = (records: readonly AuditRecord[]): string[] => records.map(({ type, target, outcome }) => `${type} ${target} ${outcome}`);

test('acts and tool calls are one record, newest first, each with who, what, when and how it ended', async () => {
  const record = audit();
  await record.record({ type: 'policy.create', principal: ADMIN, target: 'pol_1', requestId: 'req_1', details: { pattern: 'github.*' } });
  await called('list', 'ok', 'exe_1');
  nowMs += 1_000;
  await record.record({ type: 'key.create', principal: AGENT, outcome: 'FORBIDDEN', details: { route: 'POST /keys' } });
  await called('create', null);
  const records = await list();
  expect(typesOf(records)).toEqual([
    'tool.call github.create null',
    'key.create null FORBIDDEN',
    'tool.call github.list ok',
    'policy.create pol_1 ok',
  ]);
  expect(records[2]).toMatchObject({
    principal: { id: AGENT.id, role: 'agent', name: 'ci' },
    ...{
      server: 'github',
      tool: 'list',
      executionId: 'exe_1',
      callNumber: 1,
      decision: 'allow',
      policyId: 'pol_1',
      durationMs: 1.5,
      replyBytes: 7,
    },
  });
  expect(records[3]).toMatchObject({
    principal: { id: ADMIN.id, role: 'admin', name: 'me' },
    requestId: 'req_1',
    details: { pattern: 'github.*' },
    digest: expect.stringMatching(/^[0-9a-f]{64}$/),
  });
});

test.each<[AuditFilter, number]>([
  [{ type: 'tool.call' }, 2],
  [{ type: 'policy' }, 1],
  [{ type: 'key.create' }, 1],
  [{ type: 'nothing.at_all' }, 0],
  [{ principal: AGENT.id }, 3],
  [{ server: 'github', tool: 'list' }, 1],
  [{ execution: 'exe_1' }, 1],
  [{ outcome: 'ok' }, 2],
  [{ outcome: 'failed' }, 2],
  [{ outcome: 'FORBIDDEN' }, 1],
  [{ type: "x' or true --" }, 0],
])('%j finds %i', async (filter, count) => {
  expect(await list(filter)).toHaveLength(count);
});

test('a time cuts it, and pages of any size come to the same as all at once, in both directions', async () => {
  for (let index = 0; index < 25; index += 1)
    await (index % 2 === 0
      ? called(`tool_${index}`, 'ok')
      : audit().record({ type: 'key.revoke', principal: ADMIN, target: `key_${index}` }));
  const all = await list();
  const middle = new Date(all[10]?.at ?? 0);
  expect(await list({ since: middle })).toEqual(all.filter(({ at }) => new Date(at) >= middle));
  expect(await list({ until: middle })).toEqual(all.filter(({ at }) => new Date(at) < middle));
  const paged: AuditRecord[] = [];
  for (let cursor: string | undefined; ; ) {
    const page = await audit().list(WORKSPACE, {}, { limit: 4, cursor });
    paged.push(...page.items);
    if (page.nextCursor === null) break;
    cursor = page.nextCursor;
  }
  expect(paged).toEqual(all);
  const exported: AuditRecord[] = [];
  for await (const record of audit().export(WORKSPACE, {}, AbortSignal.timeout(10_000))) exported.push(record);
  expect(exported).toEqual([...all].reverse());
  await expect(audit().list(WORKSPACE, {}, { limit: 1, cursor: "x' or 1=1" })).rejects.toMatchObject({ code: 'INVALID_REQUEST' });
  expect((await audit().list('wsp_other', {}, { limit: 10 })).items).toEqual([]);
});

test('neither acts nor tool calls can be changed or deleted', async () => {
  for (const table of ['audit_events', 'tool_calls', 'tool_call_outcomes']) {
    await expect(sql`delete from ${sql.table(table)}`.execute(db.query())).rejects.toThrow(/append-only/);
    await expect(sql`truncate ${sql.table(table)} cascade`.execute(db.query())).rejects.toThrow(/append-only/);
  }
  await expect(sql`update audit_events set outcome = 'ok'`.execute(db.query())).rejects.toThrow(/append-only/);
  await expect(sql`update tool_calls set principal_id = 'x'`.execute(db.query())).rejects.toThrow(/append-only/);
  // Not even by who says that it purges.
  const asPurge = db
    .query()
    .transaction()
    .execute(async (transaction) => {
      await sql`select set_config('code_executor.purging', 'on', true)`.execute(transaction);
      await sql`update audit_events set outcome = 'ok'`.execute(transaction);
    });
  await expect(asPurge).rejects.toThrow(/append-only/);
});

test('many writers at once make one chain, and whoever gets around the database and changes or takes out an act is found', async () => {
  const writers = [audit(), audit(), audit()];
  await Promise.all(
    Array.from({ length: 60 }, (_, index) =>
      writers[index % 3]?.record({ type: 'policy.change', principal: ADMIN, target: `pol_${index}` }),
    ),
  );
  const { whole, checked } = await audit().verify(WORKSPACE, AbortSignal.timeout(10_000));
  expect({ whole, checked }).toEqual({ whole: true, checked: 2 + 12 + 60 });
  const tables = db.query<ToolTables>();
  const victim = await tables.selectFrom('audit_events').selectAll().where('position', '=', 30).executeTakeFirstOrThrow();
  await sql`alter table audit_events disable trigger all`.execute(tables);
  await sql`update audit_events set principal_id = 'key_innocent' where position = 30`.execute(tables);
  expect(await audit().verify(WORKSPACE, AbortSignal.timeout(10_000))).toEqual({ whole: false, checked: 29, brokenAt: victim.id });
  await sql`delete from audit_events where position = 30`.execute(tables);
  expect(await audit().verify(WORKSPACE, AbortSignal.timeout(10_000))).toMatchObject({ whole: false, checked: 29 });
  await tables
    .insertInto('audit_events')
    .values({ ...victim, position: 30 })
    .execute();
  await sql`alter table audit_events enable trigger all`.execute(tables);
  expect(await audit().verify(WORKSPACE, AbortSignal.timeout(10_000))).toMatchObject({ whole: true });
});

test('what is past its retention is purged, the rest stays and its chain is still whole', async () => {
  const before = (await list()).length;
  const old = new Date(nowMs);
  nowMs = Date.now();
  await audit().record({ type: 'key.create', principal: ADMIN, target: 'key_new' });
  const young = await called('young', 'ok');
  const purge = startAuditPurge({ retentionDays: 180 }, { db, log, now, sweep: async () => undefined });
  expect(await purge.runOnce()).toBe(before);
  await purge.stop();
  expect((await list()).map(({ id }) => id)).toEqual([young, expect.stringMatching(/^aud_/)]);
  expect(await list({ until: old })).toEqual([]);
  await audit().record({ type: 'key.revoke', principal: ADMIN, target: 'key_new' });
  expect(await audit().verify(WORKSPACE, AbortSignal.timeout(10_000))).toEqual({ whole: true, checked: 2, brokenAt: null });
});

test('details are cut to size, and text that a database cannot hold does not stop the record', async () => {
  const record = audit();
  await record.record({ type: 'integration.create', principal: ADMIN, target: 'a\u0000b\ud800', details: { long: 'x'.repeat(10_000) } });
  nowMs += 1;
  await record.record({ type: 'integration.create', principal: null, details: 'a\u0000b' });
  const [second, first] = await list({ type: 'integration.create' });
  expect(first?.target).toBe('"a\\u0000b\\ud800"');
  expect(JSON.stringify(first?.details).length).toBeLessThan(5_000);
  expect(second?.principal).toEqual({ id: null, role: null, name: null });
  expect(await record.verify(WORKSPACE, AbortSignal.timeout(10_000))).toMatchObject({ whole: true });
});
