import type { ApprovalScope, ApprovalVerdict, Principal } from '@code-executor/contracts';
import { allowsServer, idPattern, newId } from '@code-executor/contracts';
import { createWaiters } from '@code-executor/executions';
import { AppError, messageOf } from '@code-executor/platform';
import type { Kysely } from 'kysely';
import { assertAct, assertServer } from '../calls/may-call.ts';
import { EXECUTOR_SERVER } from '../executor/executor-server.ts';
import type { Seal } from '../integrations/seal.ts';
import type { GuardedHttp } from '../outbound/port.ts';
import type { ServerLog } from '../sources/mcp/mcp-server.ts';
import type { ToolTables } from '../tables.ts';
import { addressOf, argumentsPlace, toApprovalRecord } from './approval-record.ts';
import { type ApprovalRow, type ApprovalStore, createApprovalStore } from './approval-store.ts';
import { visibleText } from './display.ts';
import type { ApprovalRecord, ApprovalsAdministration } from './port.ts';
import { createWebhooks, type WebhookTarget } from './webhooks.ts';

export interface ApprovalSettings {
  /** How long a person has to decide; 24 h by default. */
  readonly ttlSeconds?: number | undefined;
  /** From an execution's first approval to the last moment of any of its others; 7 days by default. */
  readonly lifeSeconds?: number | undefined;
  /** Days that what was decided is kept; 180 by default. */
  readonly retentionDays?: number | undefined;
  /** Whoever asked may not decide, be it an admin. */
  readonly byAnother?: boolean | undefined;
  /** Is told of each new one. */
  readonly webhook?: WebhookTarget | undefined;
  /** Which of these executions have ended: what of theirs is pending is cancelled. */
  readonly endedAmong?: ((executionIds: readonly string[]) => Promise<readonly string[]>) | undefined;
  /** false: the key, or whoever it is, may do nothing any more. */
  readonly isActive?: ((principalId: string) => Promise<boolean>) | undefined;
  /** These are pending no more: other processes may wait for them. Must not throw. */
  readonly onDecided?: ((approvalIds: readonly string[]) => void) | undefined;
  /** Must not throw. */
  readonly onEvent?: ((event: ApprovalEvent) => void) | undefined;
}

/** For the log, the metrics and the audit. */
export interface ApprovalEvent {
  readonly type: 'requested' | 'approved' | 'denied' | 'expired' | 'cancelled';
  readonly approvalId: string;
  readonly executionId: string;
  readonly workspaceId: string;
  readonly tool: string;
  readonly principalId: string;
  /** null: nobody decided. */
  readonly decidedBy: string | null;
  readonly scope: ApprovalScope | null;
  readonly selfApproved: boolean;
  /** From the question to the decision. */
  readonly waitedMs: number;
}

export interface AskedCall {
  readonly workspaceId: string;
  readonly executionId: string;
  readonly callNumber: number;
  readonly principalId: string;
  readonly server: string;
  readonly tool: string;
  readonly connection: string | null;
  readonly canonicalArguments: string;
  readonly argumentDigest: string;
  readonly definitionDigest: string;
  readonly policyReason: string;
}

export interface Approvals extends ApprovalsAdministration {
  readonly store: ApprovalStore;
  /** The row of this call, new or as it was left; committed when this resolves. */
  ask(call: AskedCall): Promise<ApprovalRow>;
  isActive(principalId: string): Promise<boolean>;
  /** Resolves when it is pending no more, or somebody should look again. Rejects with the signal's reason. */
  whenDecided(approvalId: string, signal: AbortSignal): Promise<void>;
  /** Another process says that these are decided. */
  wake(approvalIds: readonly string[]): void;
  /** The execution has ended, or is given up: nothing of it is called any more. */
  cancelOf(executionId: string, reason: string): Promise<void>;
  void(approvalId: string, reason: string): Promise<void>;
  countPending(): Promise<number>;
  record(row: ApprovalRow): ApprovalRecord;
  /** Resolves when what it looks after at intervals is over. */
  close(): Promise<void>;
}

export interface ApprovalDependencies {
  readonly db: Kysely<ToolTables>;
  readonly seal: Seal;
  readonly log: ServerLog;
  readonly now: () => number;
  /** Of webhooks; absent: none are sent. */
  readonly outbound: GuardedHttp | undefined;
  /** Writes the allow policy of a decision `always`. */
  allowAlways(principal: Principal, pattern: string): Promise<unknown>;
}

const TTL_SECONDS = 24 * 60 * 60;
const LIFE_SECONDS = 7 * 24 * 60 * 60;
/** Of one workspace, and more than anybody reads; each holds its arguments, of up to 1 MB. */
const PENDING_MAXIMUM = 5_000;
/** Of one principal: what an agent asks without end takes nobody else's place. */
const PENDING_OF_PRINCIPAL = 500;
const SWEEP_MS = 1_000;
const SWEPT_AT_ONCE = 500;
const RETENTION_DAYS = 180;
const PURGE_EVERY_MS = 60 * 60 * 1_000;
const APPROVAL_ID = idPattern('apr');

/** The decisions of people: asked for by gated calls, made by operators, each good for the very call it was asked for. */
export function createApprovals(settings: ApprovalSettings, deps: ApprovalDependencies): Approvals {
  const { seal, log, now } = deps;
  const { ttlSeconds = TTL_SECONDS, lifeSeconds = LIFE_SECONDS, byAnother = false } = settings;
  const store = createApprovalStore(deps.db);
  const waiters = createWaiters();
  const { webhook } = settings;
  const record = (row: ApprovalRow): ApprovalRecord => toApprovalRecord(row, seal);
  const { outbound } = deps;
  const webhooks = webhook === undefined || outbound === undefined ? null : createWebhooks(webhook, { outbound, store, record, log, now });
  let sending: Promise<void> | null = null;
  let sweeping: Promise<void> | null = null;
  let purgedAt = 0;
  const timer = setInterval(() => {
    sweeping ??= sweep().finally(() => {
      sweeping = null;
    });
    sendWebhooks();
  }, SWEEP_MS);

  return {
    store,
    record,
    isActive: async (principalId) => (await settings.isActive?.(principalId)) ?? true,
    whenDecided,
    wake: waiters.wake,
    countPending: () => store.countPending(),

    async ask(call) {
      const known = await store.ofCall(call.executionId, call.callNumber);
      if (known !== null) return known;
      const at = now();
      if ((await store.countPending({ workspaceId: call.workspaceId })) >= PENDING_MAXIMUM)
        throw new AppError('CALL_LIMIT', `${PENDING_MAXIMUM} calls wait for people already; this one was not made`);
      if ((await store.countPending(call)) >= PENDING_OF_PRINCIPAL)
        throw new AppError('CALL_LIMIT', `${PENDING_OF_PRINCIPAL} calls of this key wait for people already; this one was not made`);
      const id = newId('apr', at);
      const firstAskedAt = (await store.firstAskedAt(call.executionId))?.getTime() ?? at;
      const expiresAt = Math.min(at + ttlSeconds * 1_000, firstAskedAt + lifeSeconds * 1_000);
      const { row, isNew } = await store.insertOnce({
        id,
        workspace_id: call.workspaceId,
        execution_id: call.executionId,
        call_number: call.callNumber,
        principal_id: call.principalId,
        server: call.server,
        tool: call.tool,
        connection: call.connection,
        sealed_arguments: seal.seal(call.canonicalArguments, argumentsPlace(id)),
        argument_digest: call.argumentDigest,
        definition_digest: call.definitionDigest,
        policy_reason: call.policyReason,
        created_at: new Date(at),
        expires_at: new Date(Math.max(at, expiresAt)),
        webhook_due_at: webhooks === null ? null : new Date(at),
      });
      if (isNew) {
        tell('requested', row);
        sendWebhooks();
      }
      return row;
    },

    async listApprovals(principal, { status, executionId, limit, cursor }) {
      if (cursor !== undefined && !APPROVAL_ID.test(cursor))
        throw new AppError('INVALID_REQUEST', 'cursor: use the nextCursor of the page before');
      const selection = { workspaceId: principal.workspaceId, principalId: ownOnly(principal), status, executionId };
      const { rows, total, nextCursor } = await store.list(selection, { limit, cursor });
      const own = rows.filter((row) => allowsServer(principal.scopes, row.server));
      return { items: own.map((row) => toApprovalRecord(row, seal)), total, nextCursor };
    },

    async getApproval(principal, approvalId) {
      const row = await find(principal, approvalId);
      assertServer(principal, row.server);
      return toApprovalRecord(row, seal);
    },

    async decideApproval(principal, approvalId, verdict) {
      if (principal.role === 'agent')
        throw new AppError('FORBIDDEN', 'The role agent may not decide on approvals; a person with an operator or admin key does');
      const row = await find(principal, approvalId);
      assertAct(principal, 'approvals:decide');
      assertServer(principal, row.server);
      return toApprovalRecord(await decide(principal, row, verdict), seal);
    },

    async cancelOf(executionId, reason) {
      settled('cancelled', await store.cancelOf([executionId], reason, new Date(now())));
    },
    async void(approvalId, reason) {
      await store.void(approvalId, reason, new Date(now()));
      waiters.wake([approvalId]);
    },
    async close() {
      clearInterval(timer);
      webhooks?.close();
      await Promise.all([sweeping, sending]);
    },
  };

  /** Listens before it looks, so that no decision falls between the two. */
  async function whenDecided(approvalId: string, signal: AbortSignal): Promise<void> {
    const enough = new AbortController();
    const decided = waiters.wait(approvalId, AbortSignal.any([signal, enough.signal]));
    decided.catch(() => undefined);
    try {
      if (await store.isPending(approvalId)) await decided;
    } finally {
      enough.abort();
    }
  }

  async function find(principal: Principal, approvalId: string): Promise<ApprovalRow> {
    const row = APPROVAL_ID.test(approvalId) ? await store.find(approvalId, principal.workspaceId) : null;
    const own = ownOnly(principal);
    if (row === null || (own !== undefined && row.principal_id !== own))
      throw new AppError(
        'APPROVAL_NOT_FOUND',
        `There is no approval ${JSON.stringify(approvalId.slice(0, 60))}; GET /approvals lists them`,
      );
    return row;
  }

  async function decide(principal: Principal, row: ApprovalRow, verdict: ApprovalVerdict): Promise<ApprovalRow> {
    const isSelf = row.principal_id === principal.id;
    assertMayDecide(principal, isSelf, verdict);
    assertOnce(row, verdict);
    const scope = verdict.decision === 'approve' ? (verdict.scope ?? 'once') : 'once';
    const status = verdict.decision === 'approve' ? 'approved' : 'denied';
    if (row.status === 'pending' && row.expires_at.getTime() > now()) {
      if (scope === 'always') await deps.allowAlways(principal, addressOf({ ...row, connection: null }));
      const reason = verdict.reason === undefined ? null : visibleText(verdict.reason);
      const change = { status, decided_by: principal.id, scope, reason, self_approved: isSelf && status === 'approved' };
      const decided = await store.decide(row.id, change, new Date(now()));
      if (decided !== null) {
        settled(status, [decided]);
        return decided;
      }
    }
    const current = (await store.find(row.id, row.workspace_id)) ?? row;
    const isSame = (current.status === 'consumed' ? 'approved' : current.status) === status && current.scope === scope;
    if (isSame) return current;
    throw new AppError('APPROVAL_DECIDED', `Approval ${row.id} is ${saidOf(current)} already`, { details: { status: current.status } });
  }

  /** With other arguments a tool of administration does something else altogether: each call is decided by itself. */
  function assertOnce({ server }: ApprovalRow, { decision, scope = 'once' }: ApprovalVerdict): void {
    if (server === EXECUTOR_SERVER && decision === 'approve' && scope !== 'once')
      throw new AppError('INVALID_REQUEST', `Calls of ${EXECUTOR_SERVER} are approved one by one: scope once`);
  }

  /** An expiry that no sweep has seen yet is one all the same. */
  function saidOf({ status, expires_at }: ApprovalRow): string {
    return status === 'pending' && expires_at.getTime() <= now() ? 'expired' : status;
  }

  function assertMayDecide(principal: Principal, isSelf: boolean, { decision, scope }: ApprovalVerdict): void {
    if (scope === 'always' && principal.role !== 'admin')
      throw new AppError('FORBIDDEN', 'scope always writes a policy, which takes the role admin; use once or execution');
    if (!isSelf || decision === 'deny') return;
    if (byAnother) throw new AppError('FORBIDDEN', 'Whoever asked may not approve (EXECUTOR_APPROVALS_BY_ANOTHER): another key has to');
    if (principal.role !== 'admin')
      throw new AppError('FORBIDDEN', 'An operator may not approve what its own key asked for; another key has to');
  }

  function sendWebhooks(): void {
    if (webhooks === null) return;
    sending ??= webhooks
      .send()
      .catch((error: unknown) => log.warn({ reason: messageOf(error) }, 'Webhooks could not be sent; trying again'))
      .finally(() => {
        sending = null;
      });
  }

  async function sweep(): Promise<void> {
    try {
      settled('expired', await store.expire(new Date(now())));
      await purge();
      if (settings.endedAmong === undefined) return;
      const open = await store.openExecutions(SWEPT_AT_ONCE);
      const ended = open.length === 0 ? [] : await settings.endedAmong(open);
      settled('cancelled', await store.cancelOf(ended, 'the execution has ended', new Date(now())));
    } catch (error) {
      log.warn({ reason: messageOf(error) }, 'Approvals could not be looked after; trying again');
    }
  }

  async function purge(): Promise<void> {
    if (now() - purgedAt < PURGE_EVERY_MS) return;
    const before = new Date(now() - (settings.retentionDays ?? RETENTION_DAYS) * 24 * PURGE_EVERY_MS);
    // The next second goes on where this one stops.
    if ((await store.purge(before, SWEPT_AT_ONCE)) < SWEPT_AT_ONCE) purgedAt = now();
  }

  function settled(type: Exclude<ApprovalEvent['type'], 'requested'>, rows: readonly ApprovalRow[]): void {
    if (rows.length === 0) return;
    const ids = rows.map(({ id }) => id);
    waiters.wake(ids);
    settings.onDecided?.(ids);
    for (const row of rows) tell(type, row);
  }

  function tell(type: ApprovalEvent['type'], row: ApprovalRow): void {
    settings.onEvent?.({
      type,
      approvalId: row.id,
      executionId: row.execution_id,
      workspaceId: row.workspace_id,
      tool: visibleText(addressOf(row)),
      principalId: row.principal_id,
      decidedBy: row.decided_by,
      scope: row.scope as ApprovalScope | null,
      selfApproved: row.self_approved,
      waitedMs: row.decided_at === null ? 0 : row.decided_at.getTime() - row.created_at.getTime(),
    });
  }
}

/** Of a principal that sees nothing but its own. */
const ownOnly = ({ role, id }: Principal): string | undefined => (role === 'agent' ? id : undefined);
