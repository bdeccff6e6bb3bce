import { chmod, mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Principal, ToolCallReply } from '@code-executor/contracts';
import type { ToolCallOutcome } from '@code-executor/executions';
import { createLogger, type Database, openDatabase } from '@code-executor/platform';
import { createWrapperStore } from '@code-executor/wrappers';
import { createToolDomain, type ToolDomain, type ToolDomainOptions } from '../index.ts';

export const HOSTILE_SERVER = fileURLToPath(new URL('./hostile-server.ts', import.meta.url));
export const ADMIN: Principal = { id: 'key_test', workspaceId: 'wsp_default', role: 'admin' };
/** stdio servers are never started by root. */
export const IS_ROOT = process.getuid?.() === 0;

/** An entry of the servers file for the misbehaving server. */
export const hostile = (mode: string, entry: Record<string, unknown> = {}, ...args: string[]): Record<string, unknown> => ({
  command: process.execPath,
  args: [HOSTILE_SERVER, mode, ...args],
  trust: true,
  ...entry,
});

export interface TestBed {
  readonly dir: string;
  readonly dataDir: string;
  readonly db: Database;
  /** Everything that was logged, as JSON lines. */
  log(): string;
  /** A new domain on the same data, with these servers. The one before is closed. */
  restart(servers: Record<string, unknown>, options?: Partial<ToolDomainOptions>): Promise<ToolDomain>;
  close(): Promise<void>;
}

export async function createTestBed(): Promise<TestBed> {
  const dir = await mkdtemp(join(tmpdir(), 'code-executor-tools-'));
  const dataDir = join(dir, 'data');
  await mkdir(dataDir);
  const lines: string[] = [];
  const log = createLogger({ level: 'info', service: 'test' });
  // The stream that pino writes to is the test's own output; what is logged is wanted here instead.
  const recorded = new Proxy(log, {
    get: (target, name, receiver) =>
      name === 'info' || name === 'warn' || name === 'error'
        ? (fields: object, message?: string) => lines.push(JSON.stringify({ level: name, ...fields, message }))
        : Reflect.get(target, name, receiver),
  });
  const db = await openDatabase({ directory: join(dataDir, 'database'), log: recorded });
  const wrapperStore = createWrapperStore({ dir: join(dataDir, 'wrappers') });
  let domain: ToolDomain | null = null;
  return {
    dir,
    dataDir,
    db,
    log: () => lines.join('\n'),
    async restart(servers, options = {}) {
      await domain?.close();
      const serversFile = join(dataDir, 'mcp-servers.json');
      await writeFile(serversFile, JSON.stringify({ mcpServers: servers }));
      domain = await createToolDomain({ db, log: recorded, dataDir, wrapperStore, ...options });
      domain.start();
      await domain.ready(AbortSignal.timeout(45_000));
      return domain;
    },
    async close() {
      await domain?.close();
      await wrapperStore.close();
      await db.close();
      // Wrapper snapshots are closed against writing.
      for (const entry of await readdir(dir, { recursive: true, withFileTypes: true }))
        if (entry.isDirectory()) await chmod(join(entry.parentPath, entry.name), 0o755);
      await rm(dir, { recursive: true, force: true });
    },
  };
}

let calls = 0;

/** One call of an execution. */
export function callOutcome(
  domain: ToolDomain,
  tool: string,
  args: unknown = {},
  signal: AbortSignal = AbortSignal.timeout(20_000),
): Promise<ToolCallOutcome> {
  calls += 1;
  return domain.callTool(
    { executionId: 'exe_test', workspaceId: 'wsp_default', principalId: 'key_test' },
    { callNumber: calls, tool, args },
    signal,
  );
}

export async function valueOfCall(domain: ToolDomain, tool: string, args: unknown = {}): Promise<unknown> {
  const { reply } = await callOutcome(domain, tool, args);
  if (!reply.ok) throw new Error(`${reply.error.code}: ${reply.error.message}`);
  return reply.value;
}

export function errorOf(reply: ToolCallReply): { readonly code: string; readonly message: string; readonly details?: unknown } {
  if (reply.ok) throw new Error(`The call succeeded with ${JSON.stringify(reply.value).slice(0, 500)}`);
  return reply.error;
}
