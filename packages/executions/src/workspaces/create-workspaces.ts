import { DEFAULT_WORKSPACE_ID, idPattern, newId, type Principal } from '@code-executor/contracts';
import { AppError, type Database, type Logger, messageOf } from '@code-executor/platform';
import { digestOf, newBareKey } from '../keys/bare-key.ts';
import type { KeysService } from '../keys/create-keys.ts';
import type { StoredKey } from '../keys/key-store.ts';
import type { Executions, KeyRecord } from '../port.ts';
import type { HoldingTable, WorkspaceRecord, Workspaces } from './port.ts';
import { createWorkspaceStore } from './workspace-store.ts';

export interface WorkspacesService extends Workspaces {
  exists(workspaceId: string): Promise<boolean>;
  /** From now on, what is left of removed workspaces is looked for. */
  start(): void;
  close(): Promise<void>;
}

export interface WorkspacesOptions {
  readonly db: Database;
  readonly log: Logger;
  readonly keys: Pick<KeysService, 'changed'>;
  /** Rows that go with their workspace. */
  readonly holdings: readonly HoldingTable[];
  /** Of what still runs in a workspace that was removed. */
  readonly executions: () => Pick<Executions, 'cancel'>;
  /** Nothing of it is to be kept in memory. Must not throw. */
  readonly onRemoved?: ((workspaceId: string) => void) | undefined;
  readonly now?: (() => number) | undefined;
}

/** More than a gateway should know the keys of. */
const MOST_WORKSPACES = 1_000;
const NAME_LENGTH = 100;
const SWEEP_MS = 30_000;

export async function createWorkspaces(options: WorkspacesOptions): Promise<WorkspacesService> {
  const { log, keys, now = Date.now } = options;
  const store = createWorkspaceStore(options.db, options.holdings);
  let count = await store.count();
  let sweeping: Promise<void> | null = null;
  let timer: NodeJS.Timeout | undefined;

  return {
    exists: store.exists,
    areSeveral: () => count > 1,

    async create(principal, name) {
      assertOperator(principal, 'make workspaces');
      assertName(name);
      await assertLasting(principal);
      if ((await store.count()) >= MOST_WORKSPACES)
        throw new AppError('WORKSPACE_LIMIT', `There are ${MOST_WORKSPACES} workspaces already.`);
      const createdAt = new Date(now());
      const id = newId('wsp', now());
      const { bareKey, key } = newAdminKey(id, 'first admin', principal);
      const made = await store.insert({ id, name, createdBy: principal.id, createdAt }, key);
      if (made === null) throw taken(name);
      count += 1;
      await keys.changed();
      log.info({ workspaceId: id, name, by: principal.id }, 'A workspace was made');
      return { ...made.workspace, adminKey: { ...keyRecordOf(made.key), key: bareKey } };
    },

    async list(principal) {
      assertAdmin(principal);
      const all = await store.list();
      return isOperator(principal) ? all : all.filter(({ id }) => id === principal.workspaceId);
    },

    async get(principal, workspaceId) {
      const record = await find(principal, workspaceId);
      return { ...record, holds: await store.holdingsOf(record.id) };
    },

    async rename(principal, workspaceId, name) {
      assertName(name);
      const { id } = await find(principal, workspaceId);
      const renamed = await store.rename(id, name);
      if (renamed === 'taken') throw taken(name);
      if (renamed === null) throw unknown(workspaceId);
      return renamed;
    },

    async createAdminKey(principal, workspaceId, name) {
      assertOperator(principal, 'make admin keys of other workspaces');
      assertName(name);
      const { id } = await find(principal, workspaceId);
      await assertLasting(principal);
      const { bareKey, key } = newAdminKey(id, name, principal);
      const stored = await store.insertKey(key);
      await keys.changed();
      return { ...keyRecordOf(stored), key: bareKey };
    },

    async remove(principal, workspaceId, { everything }) {
      assertOperator(principal, 'remove workspaces');
      const { id, home } = await find(principal, workspaceId);
      if (home) throw new AppError('WORKSPACE_NOT_EMPTY', "The home workspace is the operator's own and stays.");
      const closed = await store.close(id, new Date(now()), { everything });
      if (closed === null) throw unknown(workspaceId);
      if (closed !== 'closed') {
        const left = Object.entries(closed).filter(([, held]) => held > 0);
        const what = left.map(([kind, held]) => `${held} ${kind}`).join(', ');
        throw new AppError('WORKSPACE_NOT_EMPTY', `Workspace ${id} holds ${what}; ?everything=true removes it with them.`, {
          details: Object.fromEntries(left),
        });
      }
      count -= 1;
      log.info({ workspaceId: id, by: principal.id }, 'A workspace was removed');
      await keys.changed();
      options.onRemoved?.(id);
      await sweep();
    },

    start() {
      timer ??= setInterval(() => void sweep(), SWEEP_MS);
      timer.unref();
      void sweep();
    },
    async close() {
      clearInterval(timer);
      await sweeping;
    },
  };

  /** Whoever may not see a workspace gets the answer that an unknown id gets. */
  async function find(principal: Principal, workspaceId: string): Promise<WorkspaceRecord> {
    assertAdmin(principal);
    const maySee = isOperator(principal) || workspaceId === principal.workspaceId;
    const isId = workspaceId === DEFAULT_WORKSPACE_ID || idPattern('wsp').test(workspaceId);
    const record = maySee && isId ? await store.find(workspaceId) : null;
    if (record === null) throw unknown(workspaceId);
    return record;
  }

  /** What it made would outlive it. */
  async function assertLasting({ id }: Principal): Promise<void> {
    const expiresAt = await store.keyExpiry(id);
    if (expiresAt === null) return;
    throw new AppError(
      'FORBIDDEN',
      `This key expires at ${expiresAt.toISOString()}, and an admin key of a workspace does not: make it with a key that stays.`,
    );
  }

  function newAdminKey(workspaceId: string, name: string, principal: Principal) {
    const bareKey = newBareKey();
    const made = { workspaceId, name, role: 'admin' as const, createdBy: principal.id, expiresAt: null, scopes: null };
    return { bareKey, key: { ...made, id: newId('key', now()), digest: digestOf(bareKey), createdAt: new Date(now()) } };
  }

  /** One at a time; what a process that died has left, the next one finds. */
  function sweep(): Promise<void> {
    sweeping ??= sweepOnce()
      .catch((error: unknown) => log.warn({ reason: messageOf(error) }, 'What removed workspaces left could not be deleted; trying again'))
      .finally(() => {
        sweeping = null;
      });
    return sweeping;
  }

  async function sweepOnce(): Promise<void> {
    count = await store.count();
    for (const removed of await store.removed()) {
      await cancelAll(removed.id);
      await store.clean(removed, new Date(now()));
    }
  }

  async function cancelAll(workspaceId: string): Promise<void> {
    const owner: Principal = { id: 'key_none', workspaceId, role: 'admin' };
    for (const executionId of await store.unfinishedExecutions(workspaceId)) {
      await options
        .executions()
        .cancel(owner, executionId)
        .catch((error: unknown) =>
          log.info({ executionId, reason: messageOf(error) }, 'An execution of a removed workspace goes on to its end'),
        );
    }
  }
}

const isOperator = ({ workspaceId, role }: Principal): boolean => role === 'admin' && workspaceId === DEFAULT_WORKSPACE_ID;

function assertAdmin({ role }: Principal): void {
  if (role !== 'admin') throw new AppError('FORBIDDEN', `Workspaces are administered with an admin key; this one is ${role}.`);
}

/** Judged before anything is looked up, so that the answer tells nothing of what there is. */
function assertOperator(principal: Principal, act: string): void {
  assertAdmin(principal);
  if (!isOperator(principal)) throw new AppError('FORBIDDEN', `Only an admin key of the default workspace, the operator's, may ${act}.`);
}

function assertName(name: string): void {
  const fits =
    name.trim() === name && name.length >= 1 && name.length <= NAME_LENGTH && name.isWellFormed() && !/[\p{Cc}\p{Cf}]/u.test(name);
  if (!fits)
    throw new AppError('INVALID_REQUEST', `name must have 1 to ${NAME_LENGTH} characters, no control characters and no space around it.`, {
      details: { field: 'name' },
    });
}

const taken = (name: string): AppError => new AppError('WORKSPACE_EXISTS', `There is a workspace ${JSON.stringify(name)} already.`);

const unknown = (workspaceId: string): AppError =>
  new AppError('WORKSPACE_NOT_FOUND', `There is no workspace ${JSON.stringify(workspaceId.slice(0, 60))}; GET /workspaces lists them.`);

const keyRecordOf = ({ id, name, role, createdAt, expiresAt, revokedAt, scopes }: StoredKey): KeyRecord => ({
  id,
  name,
  role,
  createdAt,
  expiresAt,
  revokedAt,
  scopes,
});
