import { createHmac } from 'node:crypto';
import { messageOf } from '@code-executor/platform';
import type { GuardedHttp, OutboundHttp } from '../outbound/port.ts';
import type { ServerLog } from '../sources/mcp/mcp-server.ts';
import type { ApprovalRow, ApprovalStore } from './approval-store.ts';
import type { ApprovalRecord } from './port.ts';

export interface WebhookTarget {
  readonly url: string;
  /** Absent: messages are not signed. */
  readonly secret?: string | undefined;
  /** What the addresses in messages begin with; absent: they carry none. */
  readonly publicUrl?: string | undefined;
}

export interface Webhooks {
  /** Sends what is due. Resolves when that is over; does not reject. */
  send(): Promise<void>;
  close(): void;
}

/** After which failure the next try comes when; from then on there is none. Some nine hours in all. */
const RETRY_DELAYS_MS = [2_000, 5_000, 15_000, 60_000, 300_000, 900_000, 3_600_000, 3_600_000, 10_800_000, 14_400_000];
const TIMEOUT_MS = 10_000;
const ANSWER_LIMIT_BYTES = 64 * 1024;
const SENT_AT_ONCE = 10;

/**
 * A message for each approval, until it is taken (any 2xx), decided, or the tries are used up. What is due stands in the rows: a restart
 * loses none, and may send one twice, which its id tells.
 */
export function createWebhooks(
  target: WebhookTarget,
  deps: {
    readonly store: Pick<ApprovalStore, 'takeWebhooks' | 'setWebhookDue'>;
    readonly outbound: GuardedHttp;
    readonly record: (row: ApprovalRow) => ApprovalRecord;
    readonly log: ServerLog;
    readonly now: () => number;
  },
): Webhooks {
  const { store, log, now } = deps;
  // The operator wrote the address down: it may be one of the machine itself.
  const http = deps.outbound.withOrigin(target.url, 'operator');
  const stop = new AbortController();
  return {
    async send() {
      const at = now();
      const rows = await store.takeWebhooks(new Date(at), new Date(at + 2 * TIMEOUT_MS), SENT_AT_ONCE);
      await Promise.all(rows.map(sendOne));
    },
    close: () => stop.abort(new Error('the service is stopping')),
  };

  async function sendOne(row: ApprovalRow): Promise<void> {
    const failure = await post(row, http);
    const delayMs = RETRY_DELAYS_MS[row.webhook_attempts - 1];
    const isLast = failure !== null && delayMs === undefined;
    if (stop.signal.aborted) return;
    const about = { approvalId: row.id, attempt: row.webhook_attempts, reason: failure };
    if (failure !== null) log.warn(about, isLast ? 'A webhook is given up' : 'A webhook was not taken; it is sent again');
    await store.setWebhookDue(row.id, failure === null || delayMs === undefined ? null : new Date(now() + delayMs));
  }

  /** null: it was taken. */
  async function post(row: ApprovalRow, to: OutboundHttp): Promise<string | null> {
    try {
      const body = bodyOf(deps.record(row), target);
      const { status } = await to.request({
        method: 'POST',
        url: target.url,
        headers: { 'content-type': 'application/json', ...signed(body, row, target, now()) },
        body,
        timeoutMs: TIMEOUT_MS,
        maximumBytes: ANSWER_LIMIT_BYTES,
        redirects: 0,
        signal: stop.signal,
      });
      return status >= 200 && status < 300 ? null : `it answered with ${status}`;
    } catch (error) {
      return messageOf(error);
    }
  }
}

function bodyOf(approval: ApprovalRecord, { publicUrl }: WebhookTarget): string {
  const url = publicUrl === undefined ? null : `${publicUrl}/approvals/${approval.id}`;
  return JSON.stringify({ type: 'approval.requested', approval: { ...approval, url } });
}

/** `t=…,v1=…`: seconds since the epoch, and the HMAC-SHA-256 of `t.body` in hexadecimal. */
function signed(body: string, { id }: ApprovalRow, { secret }: WebhookTarget, nowMs: number): Record<string, string> {
  const delivery = { 'x-code-executor-delivery': id };
  if (secret === undefined) return delivery;
  const seconds = Math.floor(nowMs / 1_000);
  const mac = createHmac('sha256', secret).update(`${seconds}.${body}`).digest('hex');
  return { ...delivery, 'x-code-executor-signature': `t=${seconds},v1=${mac}` };
}
