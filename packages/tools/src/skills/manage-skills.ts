import { SKILLS_SERVER } from '@code-executor/contracts';
import { type ManagedServer, NO_CHANGE, type Source } from '../sources/source.ts';

/**
 * The skills as a server among others. A call of one lets it through, and does nothing: the program that asked runs it then, with its
 * own rights, and each tool it calls is asked for by itself.
 */
export function manageSkills(): ManagedServer {
  const state: ManagedServer['state'] = () => ({ state: 'ready', reason: null, restarts: 0 });
  const source: Source = {
    slug: SKILLS_SERVER,
    kind: SKILLS_SERVER,
    transport: 'none',
    lazy: false,
    callTimeoutMs: 1_000,
    readOnlyTools: ['*'],
    state,
    start: () => undefined,
    settled: async () => undefined,
    up: async () => undefined,
    prepare: async () => ({ send: async () => ({ reply: { ok: true, value: null }, bytes: 4, isAnswered: true }) }),
    relist: async () => undefined,
    stop: async () => undefined,
  };
  return {
    slug: SKILLS_SERVER,
    kind: SKILLS_SERVER,
    origin: 'api',
    trust: true,
    source,
    state,
    warnings: () => [],
    lastChange: () => NO_CHANGE,
  };
}
