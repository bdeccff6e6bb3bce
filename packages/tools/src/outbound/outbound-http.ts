import { type AppError, isAppError, type Logger } from '@code-executor/platform';
import type { Agent } from 'undici';
import type { AllowRule } from './allow-rules.ts';
import { exchange } from './exchange.ts';
import { createGuardedAgent, type Resolve, resolveBySystem } from './guarded-agent.ts';
import { createGuardedFetch } from './guarded-fetch.ts';
import { createGuardedRequest } from './guarded-request.ts';
import { destinationOf, type GrantedOrigin, isSameOrigin } from './judge-destination.ts';
import { originWarning, plainOrigin } from './plain-origin.ts';
import type { GuardedHttp, OutboundHttp } from './port.ts';

/** The guard's way to send: everything but what an answer is turned into. */
export type Send = (
  first: Parameters<typeof exchange>[0],
  options: { readonly redirects: number; readonly signal: AbortSignal },
) => ReturnType<typeof exchange>;

/** The guard of this process. `strict`: an admin key opens no address by spelling it out. */
export function createOutboundHttp(options: {
  readonly allow: readonly AllowRule[];
  readonly strict: boolean;
  readonly log?: Pick<Logger, 'warn'> | undefined;
  /** Default: the system's. */
  readonly resolve?: Resolve | undefined;
}): GuardedHttp {
  const { allow: rules, strict, log, resolve = resolveBySystem } = options;
  const agents = new Map<string, Agent>();

  /** Connections are shared by those whose rules are the same, and by nobody else. */
  function agentOf(grant: GrantedOrigin | null): Agent {
    const key = grant === null ? '' : `${grant.spelledOutBy} ${grant.scheme}//${grant.host} ${grant.port}`;
    const known = agents.get(key) ?? createGuardedAgent({ rules, grant, resolve });
    agents.set(key, known);
    return known;
  }

  function httpOf(grant: GrantedOrigin | null): OutboundHttp {
    const send: Send = async (first, { redirects, signal }) => {
      try {
        return await exchange(first, {
          redirects,
          signal,
          agentFor: (url, isFirst) => agentOf(isFirst && grant !== null && isSameOrigin(grant, destinationOf(url)) ? grant : null),
        });
      } catch (error) {
        if (isAppError(error, 'OUTBOUND_REFUSED')) tell(error);
        throw error;
      }
    };
    return { request: createGuardedRequest(send), fetch: createGuardedFetch(send) };
  }

  function tell(refusal: AppError): void {
    log?.warn({ refusal: refusal.details }, `An outbound request was refused: ${refusal.message}`);
  }

  return {
    ...httpOf(null),
    withOrigin: (url, spelledOutBy) => httpOf(grantOf(url, spelledOutBy, strict)),
    warningOf: (url) => (strict ? null : originWarning(url)),
    async close() {
      const closing = [...agents.values()];
      agents.clear();
      await Promise.all(closing.map((agent) => agent.destroy()));
    },
  };
}

function grantOf(url: string, spelledOutBy: 'operator' | 'admin', strict: boolean): GrantedOrigin | null {
  if (spelledOutBy === 'operator') return URL.canParse(url) ? { ...destinationOf(new URL(url)), spelledOutBy } : null;
  const origin = strict ? null : plainOrigin(url);
  return origin === null ? null : { scheme: origin.scheme, host: origin.host, port: origin.port, spelledOutBy };
}
