import { AppError, isDatabaseAway } from '@code-executor/platform';
import { type Kysely, sql } from 'kysely';
import type { ToolTables } from '../tables.ts';
import type { AppliedLimit } from './decide.ts';

/** Who makes a call, and within what. */
export interface CountedCall {
  readonly workspaceId: string;
  readonly principalId: string;
  /** Null: a call without code, which is an execution of its own. */
  readonly executionId: string | null;
}

export interface CallLimits {
  /** Counts the call against every limit. @throws AppError RATE_LIMITED or CALL_LIMIT where one of them is used up: then it counts against none. */
  count(call: CountedCall, limits: readonly AppliedLimit[]): Promise<void>;
  /** Deletes counts of periods that are over. */
  sweep(): Promise<void>;
}

interface Counter {
  readonly policyId: string;
  readonly pattern: string;
  readonly kind: 'perMinute' | 'perExecution' | 'perDay';
  readonly period: string;
  readonly most: number;
  readonly expiresAt: Date;
}

const MINUTE_MS = 60_000;
const DAY_MS = 24 * 60 * MINUTE_MS;
/** Above the longest life of an execution that waits for people. */
const EXECUTION_MS = 90 * DAY_MS;

/** Counts in the database, so that all replicas see the same; periods are those of the clock (a minute, a day of UTC). */
export function createCallLimits(db: Kysely<ToolTables>, now: () => number): CallLimits {
  return {
    async count(call, limits) {
      const counters = limits.flatMap((limit) => countersOf(limit, call, now()));
      if (counters.length === 0) return;
      const counted: Counter[] = [];
      for (const counter of counters) {
        if (await taken(counter, call)) counted.push(counter);
        else {
          for (const other of counted) await giveBack(other, call);
          throw usedUp(counter, now());
        }
      }
    },

    async sweep() {
      await db.deleteFrom('policy_counters').where('expires_at', '<', new Date(now())).execute();
    },
  };

  /** What cannot be counted is not called. */
  async function taken(counter: Counter, call: CountedCall): Promise<boolean> {
    try {
      return await take(counter, call);
    } catch (error) {
      if (!isDatabaseAway(error)) throw error;
      throw new AppError('LEDGER_UNAVAILABLE', 'The call could not be counted against its limits and was not made', { cause: error });
    }
  }

  /** One statement, so that two at once cannot both take the last. */
  async function take({ policyId, period, most, expiresAt }: Counter, { workspaceId, principalId }: CountedCall): Promise<boolean> {
    const { rows } = await sql`
      insert into policy_counters as c (workspace_id, policy_id, principal_id, period, calls, expires_at)
      values (${workspaceId}, ${policyId}, ${principalId}, ${period}, 1, ${expiresAt.toISOString()}::timestamptz)
      on conflict (workspace_id, policy_id, principal_id, period) do update set calls = c.calls + 1 where c.calls < ${most}
      returning calls`.execute(db);
    return rows.length > 0;
  }

  async function giveBack({ policyId, period }: Counter, { workspaceId, principalId }: CountedCall): Promise<void> {
    await db
      .updateTable('policy_counters')
      .set({ calls: sql`calls - 1` })
      .where('workspace_id', '=', workspaceId)
      .where('policy_id', '=', policyId)
      .where('principal_id', '=', principalId)
      .where('period', '=', period)
      .execute();
  }
}

function countersOf({ policyId, pattern, limits }: AppliedLimit, { executionId }: CountedCall, nowMs: number): Counter[] {
  const { perMinute, perExecution, perDay } = limits;
  const windowed = (kind: 'perMinute' | 'perDay', lengthMs: number, most: number): Counter => {
    const number = Math.floor(nowMs / lengthMs);
    const period = `${kind === 'perMinute' ? 'minute' : 'day'}:${number}`;
    return { policyId, pattern, kind, period, most, expiresAt: new Date((number + 1) * lengthMs) };
  };
  return [
    ...(perExecution === undefined || executionId === null
      ? []
      : [
          {
            policyId,
            pattern,
            kind: 'perExecution' as const,
            period: executionId,
            most: perExecution,
            expiresAt: new Date(nowMs + EXECUTION_MS),
          },
        ]),
    ...(perMinute === undefined ? [] : [windowed('perMinute', MINUTE_MS, perMinute)]),
    ...(perDay === undefined ? [] : [windowed('perDay', DAY_MS, perDay)]),
  ];
}

function usedUp({ policyId, pattern, kind, most, expiresAt }: Counter, nowMs: number): AppError {
  const which = { limit: kind, most, policyId, pattern };
  if (kind === 'perExecution') {
    return new AppError(
      'CALL_LIMIT',
      `The policy ${pattern} allows ${most} calls in one execution, and they are used up; nothing was called`,
      {
        details: which,
      },
    );
  }
  const retryAfterSeconds = Math.max(1, Math.ceil((expiresAt.getTime() - nowMs) / 1_000));
  const period = kind === 'perMinute' ? 'a minute' : 'a day (of UTC)';
  return new AppError(
    'RATE_LIMITED',
    `The policy ${pattern} allows ${most} calls in ${period}, and they are used up; nothing was called. Try again in ${retryAfterSeconds} s`,
    { details: { ...which, retryAfterSeconds } },
  );
}
