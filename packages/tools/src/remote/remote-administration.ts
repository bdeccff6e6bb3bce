import type { Principal, ToolCallReply } from '@code-executor/contracts';
import { AppError, type Logger } from '@code-executor/platform';
import type { SearchAnswer, ToolAdministration, ToolInfo, ToolPage, ToolsSummary } from '../port.ts';
import { failure } from '../sources/mcp/reply-value.ts';
import { askWithin, connectToProxy, type ProxyAnswer, type ProxyQuestion } from './proxy-connection.ts';
import { remoteApprovals } from './remote-approvals.ts';
import { remoteConnections } from './remote-connections.ts';
import { remoteHandoffs } from './remote-handoffs.ts';
import { remoteIntegrations, type SendDocument } from './remote-integrations.ts';
import { remotePolicies } from './remote-policies.ts';
import { remoteSkills } from './remote-skills.ts';

export interface RemoteToolAdministration extends ToolAdministration {
  close(): Promise<void>;
}

export interface RemoteToolAdministrationOptions {
  readonly url: string;
  /** The gateway's own token, without `Bearer`. */
  authorize(): Promise<string>;
  readonly log: Logger;
}

/** /health and /metrics ask more often than anything changes. */
const SUMMARY_LIFETIME_MS = 1_000;
/** Probes of liveness wait for no more than a second, and must not fail because another service is stopped. */
const SUMMARY_TIMEOUT_MS = 500;
const READ_TIMEOUT_MS = 15_000;
/** Connecting to an upstream server may take 40 s. */
const CHANGE_TIMEOUT_MS = 60_000;
/** A large document is fetched, read and stored within it. */
const DOCUMENT_TIMEOUT_MS = 180_000;
/** Above the longest time that an upstream server may be given for one call. */
const INVOKE_TIMEOUT_MS = 3_600_000;
/** A proxy that is restarted, or another replica of it, is found within this; people wait for these answers. */
const PATIENCE_MS = 1_000;

/** Catalog, integrations and policies as the MCP proxy answers for them. Whatever it throws is thrown here as it was. */
export function createRemoteToolAdministration({ url, authorize, log }: RemoteToolAdministrationOptions): RemoteToolAdministration {
  const connection = connectToProxy(url);
  /** By workspace; empty: the home one. */
  const summaries = new Map<string, { readonly answer: Promise<ToolsSummary>; readonly staleAtMs: number }>();
  let isReachable = true;

  function questionOf(method: keyof ToolAdministration, principal: Principal | null, given: unknown[], timeoutMs: number): ProxyQuestion {
    const body = JSON.stringify({ method, principal, arguments: given });
    return { method: 'POST', path: '/internal/administration', authorization: async () => `Bearer ${await authorize()}`, body, timeoutMs };
  }

  /** What changes nothing is asked again where an answer was lost, too. */
  async function read<Answer>(method: keyof ToolAdministration, principal: Principal | null, ...given: unknown[]): Promise<Answer> {
    const again = ({ kind }: ProxyAnswer): boolean => kind === 'unheard' || kind === 'lost';
    const question = questionOf(method, principal, given, READ_TIMEOUT_MS);
    return resultOf<Answer>(await askWithin(connection, question, { windowMs: PATIENCE_MS, again }));
  }

  async function change<Answer>(method: keyof ToolAdministration, principal: Principal | null, ...given: unknown[]): Promise<Answer> {
    const question = questionOf(method, principal, given, CHANGE_TIMEOUT_MS);
    return resultOf<Answer>(await askWithin(connection, question, { windowMs: PATIENCE_MS, again: ({ kind }) => kind === 'unheard' }));
  }

  const send: SendDocument = async (method, principal, given, document) => {
    const question = questionOf(method, principal, [...given], DOCUMENT_TIMEOUT_MS);
    const whole = document === undefined ? question : { ...question, path: '/internal/administration/document', document };
    return resultOf(await askWithin(connection, whole, { windowMs: PATIENCE_MS, again: ({ kind }) => kind === 'unheard' }));
  };

  function resultOf<Answer>(answer: ProxyAnswer): Answer {
    note(answer);
    if (answer.kind === 'answered') return (answer.value as { readonly result: Answer }).result;
    if (answer.kind === 'refused') throw answer.error;
    throw unavailable(answer);
  }

  /** Once per outage, not once per question. */
  function note(answer: ProxyAnswer): void {
    if (answer.kind === 'aborted') return;
    const isAnswer = answer.kind === 'answered' || answer.kind === 'refused';
    if (isReachable && !isAnswer) log.warn({ reason: answer.reason }, 'The MCP proxy does not answer');
    if (!isReachable && isAnswer) log.info('The MCP proxy answers again');
    isReachable = isAnswer;
  }

  return {
    listTools: (principal, page) => read<ToolPage>('listTools', principal, page),
    search: (principal, query) => read<SearchAnswer>('search', principal, query),
    toolInfo: (principal, server, tool) => read<ToolInfo>('toolInfo', principal, server, tool),
    async invoke(principal, server, tool, args, signal, { wholeAnswer = false } = {}): Promise<ToolCallReply> {
      const question = questionOf('invoke', principal, [server, tool, args, ...(wholeAnswer ? [{ wholeAnswer }] : [])], INVOKE_TIMEOUT_MS);
      const again = ({ kind }: ProxyAnswer): boolean => kind === 'unheard';
      const answer = await askWithin(connection, question, { windowMs: PATIENCE_MS, again }, signal);
      const address = `${server}.${tool}`;
      if (answer.kind === 'aborted') return failure('CALL_ABORTED', `${address} was cancelled before it answered`, { tool: address });
      if (answer.kind !== 'lost') return resultOf<ToolCallReply>(answer);
      note(answer);
      return failure('UPSTREAM_LOST', `The MCP proxy went away during the call of ${address}; whether it acted is unknown`, {
        tool: address,
      });
    },

    ...remoteIntegrations(read, change, send),
    ...remoteApprovals(read, change),
    ...remotePolicies(read, change),
    ...remoteConnections(read, change),
    ...remoteHandoffs(read, change),
    ...remoteSkills(read, change),

    summary(principal = null) {
      const nowMs = performance.now();
      const workspace = principal?.workspaceId ?? '';
      const known = summaries.get(workspace);
      if (known !== undefined && nowMs <= known.staleAtMs) return known.answer;
      for (const [other, { staleAtMs }] of summaries) if (nowMs > staleAtMs) summaries.delete(other);
      const answer = connection.ask(questionOf('summary', principal, [], SUMMARY_TIMEOUT_MS)).then(resultOf<ToolsSummary>);
      summaries.set(workspace, { answer, staleAtMs: nowMs + SUMMARY_LIFETIME_MS });
      return answer;
    },
    close: () => connection.close(),
  };
}

/** The reason, which names addresses within the fleet, is in the log. */
function unavailable(answer: Exclude<ProxyAnswer, { kind: 'answered' | 'refused' }>): AppError {
  const cause = answer.kind === 'aborted' ? undefined : answer.reason;
  return new AppError('TOOLS_UNAVAILABLE', 'The MCP proxy does not answer; ask again in a few seconds', { cause });
}
