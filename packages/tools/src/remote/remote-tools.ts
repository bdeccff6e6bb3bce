import {
  DEFAULT_WORKSPACE_ID,
  type DiscoveryOperation,
  idPattern,
  type ReplyMeta,
  type ToolCallReply,
  type ToolDefinition,
} from '@code-executor/contracts';
import type { ExecutionGrant, PendingApproval, ToolCallOutcome, ToolPort } from '@code-executor/executions';
import { AppError, type Logger } from '@code-executor/platform';
import { failure } from '../sources/mcp/reply-value.ts';
import { askWithin, connectToProxy, type ProxyAnswer, type ProxyConnection, type ProxyQuestion } from './proxy-connection.ts';

/** The tools of which a version of the catalog consists. */
export interface CatalogSnapshot {
  readonly version: string;
  readonly tools: readonly ToolDefinition[];
}

/** The tool side of a worker: the MCP proxy over HTTP. Where its wrappers lie is the worker's own affair. */
export interface RemoteTools extends Pick<ToolPort, 'callTool' | 'discover'> {
  /** The workspace's (default: the home one's) catalog of this version, or the present one where it is not kept any more. @throws AppError TOOLS_UNAVAILABLE */
  fetchCatalog(version: string, signal?: AbortSignal, workspaceId?: string): Promise<CatalogSnapshot>;
  close(): Promise<void>;
}

export interface RemoteToolsOptions {
  readonly url: string;
  /** The worker's own token, without `Bearer`. */
  authorize(): Promise<string>;
  readonly log: Logger;
  /** How long a proxy that is being restarted is waited for; 10 s by default. */
  readonly patienceMs?: number | undefined;
}

const PATIENCE_MS = 10_000;
/** Above the longest time that an upstream server may be given for one call. */
const CALL_TIMEOUT_MS = 3_600_000;
const DISCOVERY_TIMEOUT_MS = 15_000;
const CATALOG_TIMEOUT_MS = 30_000;

export function createRemoteTools({ url, authorize, log, patienceMs = PATIENCE_MS }: RemoteToolsOptions): RemoteTools {
  const connection = connectToProxy(url);
  return {
    callTool: (grant, call, signal) => callTool(grant, call, { connection, patienceMs, log }, signal),
    discover: (grant, operation, params) => discover(grant, operation, params, { connection, patienceMs, log }),
    async fetchCatalog(version, signal, workspaceId = DEFAULT_WORKSPACE_ID) {
      const answer = await askWithin(
        connection,
        {
          method: 'GET',
          path: `/internal/catalog?workspace=${encodeURIComponent(workspaceId)}&version=${encodeURIComponent(version)}`,
          authorization: async () => `Bearer ${await authorize()}`,
          timeoutMs: CATALOG_TIMEOUT_MS,
        },
        { windowMs: patienceMs, again: isSilence },
        signal,
      );
      return catalogOf(answer);
    },
    close: () => connection.close(),
  };
}

interface CallDependencies {
  readonly connection: ProxyConnection;
  readonly patienceMs: number;
  readonly log: Logger;
}

const isSilence = ({ kind }: ProxyAnswer): boolean => kind === 'unheard' || kind === 'lost';

/**
 * Never rejects. A question that was lost is put again with the same number: the journal lets no call be made twice, so
 * that the answer tells whether the first one was.
 */
async function callTool(
  grant: ExecutionGrant,
  { callNumber, tool, args, approvalId }: Parameters<ToolPort['callTool']>[1],
  { connection, patienceMs, log }: CallDependencies,
  signal: AbortSignal,
): Promise<ToolCallOutcome> {
  let losses = 0;
  try {
    const question = questionOf(grant, '/internal/tool-calls', { callNumber, tool, args, approvalId }, CALL_TIMEOUT_MS);
    const again = (answer: ProxyAnswer): boolean => {
      if (answer.kind === 'lost') losses += 1;
      return answer.kind === 'unheard' || (answer.kind === 'lost' && losses === 1);
    };
    const answer = await askWithin(connection, question, { windowMs: patienceMs, again }, signal);
    return outcomeOf(answer, tool, losses > 0);
  } catch (error) {
    log.warn({ err: error, executionId: grant.executionId, tool }, 'A tool call failed by a fault of ours');
    return { reply: failure('INTERNAL', 'A fault of ours; the log has it'), effects: losses > 0 ? 'unknown' : 'none' };
  }
}

function outcomeOf(answer: ProxyAnswer, tool: string, wasLost: boolean): ToolCallOutcome {
  switch (answer.kind) {
    case 'answered': {
      const outcome = readOutcome(answer.value);
      if (outcome === null) return lost(tool);
      return wasLost ? afterLoss(outcome, tool) : outcome;
    }
    case 'refused': {
      const { code, message, details } = answer.error;
      const reply = failure(code === 'BODY_TOO_LARGE' ? 'ARGUMENTS_TOO_LARGE' : code, message, details);
      return { reply, effects: wasLost ? 'unknown' : 'none' };
    }
    case 'aborted':
      return answer.wasSent || wasLost
        ? { reply: failure('CALL_ABORTED', `${tool} was cancelled: the execution ended before it answered`), effects: 'unknown' }
        : { reply: failure('CALL_ABORTED', `${tool} was not made: the execution ended first`), effects: 'none' };
    case 'unheard':
      return wasLost
        ? lost(tool)
        : { reply: failure('TOOLS_UNAVAILABLE', `${tool} was not called: the MCP proxy does not answer`, { tool }), effects: 'none' };
    case 'lost':
      return lost(tool);
  }
}

/** A failure without effects says nothing of the question that was lost before it: that one may have been dispatched. */
function afterLoss(outcome: ToolCallOutcome, tool: string): ToolCallOutcome {
  // Who waits for a decision was not dispatched, however often it was asked.
  if (outcome.reply.ok || outcome.approval !== undefined) return outcome;
  if (outcome.reply.error.code === 'CALL_REPEATED') return lost(tool);
  return { ...outcome, effects: outcome.effects === 'none' ? 'unknown' : outcome.effects };
}

function lost(tool: string): ToolCallOutcome {
  const message = `The MCP proxy went away during the call of ${tool}; whether it acted is unknown`;
  return { reply: failure('UPSTREAM_LOST', message, { tool }), effects: 'unknown' };
}

async function discover(
  grant: ExecutionGrant,
  operation: DiscoveryOperation,
  params: unknown,
  { connection, patienceMs, log }: CallDependencies,
): Promise<ToolCallReply> {
  try {
    const question = questionOf(grant, '/internal/discover', { operation, params }, DISCOVERY_TIMEOUT_MS);
    const answer = await askWithin(connection, question, { windowMs: patienceMs, again: isSilence });
    const reply = answer.kind === 'answered' ? readReply(answer.value) : null;
    if (reply !== null) return reply;
    if (answer.kind === 'refused') return failure(answer.error.code, answer.error.message, answer.error.details);
    return failure('TOOLS_UNAVAILABLE', 'The MCP proxy does not answer');
  } catch (error) {
    log.warn({ err: error, executionId: grant.executionId, operation }, 'A discovery question failed by a fault of ours');
    return failure('INTERNAL', 'A fault of ours; the log has it');
  }
}

function questionOf({ bearer, executionId, traceparent }: ExecutionGrant, path: string, body: object, timeoutMs: number): ProxyQuestion {
  if (bearer === undefined) throw new AppError('INTERNAL', `Execution ${executionId} has no grant for the MCP proxy`);
  return { method: 'POST', path, authorization: async () => `Bearer ${bearer}`, body: JSON.stringify(body), timeoutMs, traceparent };
}

function catalogOf(answer: ProxyAnswer): CatalogSnapshot {
  if (answer.kind === 'refused') throw answer.error;
  if (answer.kind === 'answered') {
    const { value } = answer;
    if (isObject(value) && typeof value.version === 'string' && Array.isArray(value.tools))
      return { version: value.version, tools: value.tools as ToolDefinition[] };
  }
  const why = 'reason' in answer ? answer.reason : answer.kind;
  throw new AppError('TOOLS_UNAVAILABLE', `The catalog could not be fetched from the MCP proxy: ${why}`);
}

function readOutcome(value: unknown): ToolCallOutcome | null {
  if (!isObject(value) || (value.effects !== 'none' && value.effects !== 'some' && value.effects !== 'unknown')) return null;
  const reply = readReply(value.reply);
  if (reply === null) return null;
  const approval = readApproval(value.approval);
  return { reply, effects: value.effects, ...(approval === null ? {} : { approval }) };
}

function readApproval(value: unknown): PendingApproval | null {
  if (!isObject(value) || typeof value.id !== 'string' || typeof value.expiresAt !== 'string') return null;
  return idPattern('apr').test(value.id) ? { id: value.id, expiresAt: value.expiresAt } : null;
}

function readReply(value: unknown): ToolCallReply | null {
  if (!isObject(value)) return null;
  const meta = isObject(value.meta) ? { meta: value.meta as ReplyMeta } : {};
  if (value.ok === true) return { ok: true, value: value.value, ...meta };
  if (!isObject(value.error)) return null;
  const { code, message, details } = value.error;
  return typeof code === 'string' && typeof message === 'string' ? { ...failure(code, message, details), ...meta } : null;
}

const isObject = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null;
