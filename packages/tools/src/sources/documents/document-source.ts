import { setTimeout as sleep } from 'node:timers/promises';
import { AppError, messageOf } from '@code-executor/platform';
import type { ConnectedIntegration, Connections, Credential } from '../../connections/port.ts';
import type { OutboundHttp } from '../../outbound/port.ts';
import type { IntegrationState } from '../../port.ts';
import type { ServerLog } from '../mcp/mcp-server.ts';
import { failure } from '../mcp/reply-value.ts';
import { createScrub, type Scrub } from '../mcp/secrets.ts';
import { printable } from '../mcp/stderr-log.ts';
import type { SourceKind } from '../port.ts';
import type { CallOccasion, PreparedCall, Source, SourceState, UpstreamAnswer } from '../source.ts';
import { answerWithoutResult } from './answer-without-result.ts';
import { replyOfInvoke } from './reply-of-invoke.ts';
import { baseUrlOf, NO_BASE_URL, type SourceRecord } from './source-record.ts';

/** What the operator has said of an integration whose tools come from a document. */
export interface DocumentDefinition {
  readonly slug: string;
  readonly url: string | null;
  /** In place of what the document says. */
  readonly baseUrl: string | null;
  readonly readOnlyTools: readonly string[];
  readonly callTimeoutMs: number;
}

export interface DocumentSourceDependencies {
  readonly kind: SourceKind;
  /** The guard of this integration. */
  readonly http: OutboundHttp;
  readonly connections: Pick<Connections, 'credentialFor' | 'rejected'>;
  /** What a call of this tool needs, of this very definition, as JSON; null: there is none. */
  binding(name: string, digest: string): Promise<string | null>;
  readonly log: ServerLog;
  /** Of an upstream that does not answer; doubled with every probe in vain. */
  readonly probeAfterMs?: { readonly first: number; readonly most: number } | undefined;
}

/** A source that holds no connection: it is ready as soon as its document was read, and broken while its upstream does not answer. */
export interface DocumentSource extends Source {
  readonly connected: ConnectedIntegration;
  /** Asks the upstream whether it is there, by a request that changes nothing; the state tells. Never rejects. */
  probe(): Promise<void>;
}

const PROBE_TIMEOUT_MS = 10_000;
const PROBE_AFTER_MS = { first: 5_000, most: 300_000 };

export function createDocumentSource(
  definition: DocumentDefinition,
  record: SourceRecord,
  { kind, http, connections, binding, log, probeAfterMs = PROBE_AFTER_MS }: DocumentSourceDependencies,
): DocumentSource {
  const { slug, callTimeoutMs } = definition;
  let fault: string | null = null;
  let restarts = 0;
  let probing: Promise<void> | null = null;
  const life = new AbortController();

  const baseUrl = baseUrlOf(definition, record);
  const stateName = (): IntegrationState => (life.signal.aborted ? 'stopped' : fault === null ? 'ready' : 'broken');

  /** A call that has got through is the best probe. */
  const answered = (): void => {
    if (fault === null) return;
    fault = null;
    restarts += 1;
    log.info({ server: slug }, 'An upstream answers again');
  };

  function failed(reason: string): void {
    if (fault === null) log.warn({ server: slug, reason }, 'An upstream does not answer');
    fault = reason;
    probing ??= probeUntilAnswered().finally(() => {
      probing = null;
    });
  }

  async function probeUntilAnswered(): Promise<void> {
    for (let waitMs = probeAfterMs.first; fault !== null && !life.signal.aborted; waitMs = Math.min(probeAfterMs.most, waitMs * 2)) {
      await sleep(waitMs, undefined, { signal: life.signal, ref: false }).catch(() => undefined);
      if (fault !== null && !life.signal.aborted) await look();
    }
  }

  async function look(): Promise<void> {
    const problem = await problemOf(null, http, life.signal);
    if (life.signal.aborted) return;
    if (problem === null) answered();
    else failed(problem);
  }

  async function problemOf(credential: Credential | null, over: OutboundHttp, signal: AbortSignal): Promise<string | null> {
    if (baseUrl === null) return NO_BASE_URL;
    try {
      return await kind.probe({ baseUrl, credential, http: over, timeoutMs: PROBE_TIMEOUT_MS, signal });
    } catch (error) {
      return printable(messageOf(error), 500);
    }
  }

  async function prepare({ workspaceId, principalId, connection, entry }: CallOccasion, signal: AbortSignal): Promise<PreparedCall> {
    const { name } = entry.tool;
    const tool = `${slug}.${name}`;
    if (baseUrl === null)
      throw new AppError('UPSTREAM_UNAVAILABLE', `${slug} cannot be called: ${NO_BASE_URL}`, { details: { server: slug } });
    const bound = await binding(name, entry.digest);
    if (bound === null)
      throw new AppError('UPSTREAM_UNAVAILABLE', `The definition of ${tool} is being changed; call it again`, {
        details: { server: slug },
      });
    const credential = await connections.credentialFor(
      { integration: slug, connection, principal: { id: principalId, workspaceId } },
      signal,
    );
    return {
      async send({ args, idempotencyKey, traceparent }, callSignal) {
        const scrub = createScrub(credential?.secrets ?? []);
        try {
          const context = { baseUrl, credential, http, idempotencyKey, timeoutMs: callTimeoutMs, traceparent, signal: callSignal };
          const result = await kind.invoke(JSON.parse(bound), args, context);
          answered();
          if (result.meta?.status === 401 && credential !== null) connections.rejected(credential);
          return { ...replyOfInvoke(tool, result, scrub), isAnswered: true };
        } catch (error) {
          return unanswered(error, tool, scrub, callSignal);
        }
      },
    };
  }

  function unanswered(error: unknown, tool: string, scrub: Scrub, signal: AbortSignal): UpstreamAnswer {
    const answer = answerWithoutResult(error, tool, signal);
    if (answer === null) {
      log.warn({ err: error, server: slug, tool }, 'A tool call failed by a fault of ours');
      return { reply: failure('INTERNAL', 'A fault of ours; the log has it'), bytes: 0, isAnswered: false };
    }
    const { code, isAnswered, isUnsent } = answer;
    const message = printable(scrub(answer.message), 1_000);
    if (code === 'UPSTREAM_UNAVAILABLE' || code === 'UPSTREAM_LOST') failed(message);
    return { reply: failure(code, message, { server: slug, tool }), bytes: 0, isAnswered, isUnsent };
  }

  return {
    slug,
    kind: kind.kind,
    transport: 'http',
    lazy: false,
    callTimeoutMs,
    readOnlyTools: definition.readOnlyTools,
    connected: {
      slug,
      schemes: record.securitySchemes,
      url: baseUrl,
      http,
      probe: (credential, over, signal) => problemOf(credential, over, signal),
    },
    state: (): SourceState => ({ state: stateName(), reason: fault, restarts }),
    start: () => undefined,
    settled: async () => undefined,
    async up(signal) {
      signal.throwIfAborted();
    },
    prepare,
    relist: async () => undefined,
    async stop() {
      life.abort();
      await probing;
    },
    async probe() {
      await look();
    },
  };
}
