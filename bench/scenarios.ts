import { randomUUID } from 'node:crypto';
import { performance } from 'node:perf_hooks';
import type { Service } from '../test/support/start-service.ts';
import { type Series, summarise } from './statistics.ts';

export interface Scenario {
  readonly name: string;
  readonly language: 'typescript' | 'python' | 'node';
  readonly code: string;
  readonly expected: unknown;
  /** Sent to the letter each time; else every program is one that the service has never seen, as an agent's is. */
  readonly isRepeated?: boolean;
}

export const SIMPLE_TYPESCRIPT: Scenario = {
  name: 'simple TypeScript',
  language: 'typescript',
  code: 'return 2 + 2',
  expected: 4,
};
export const REPEATED_TYPESCRIPT: Scenario = { ...SIMPLE_TYPESCRIPT, name: 'the same TypeScript again', isRepeated: true };
export const SIMPLE_PYTHON: Scenario = { name: 'simple Python', language: 'python', code: '2 + 2', expected: 4 };
export const COLD_NODE: Scenario = { name: 'simple Node (always cold)', language: 'node', code: 'return 2 + 2', expected: 4 };

/** What is sent to `POST /execute`. */
export function bodyOf({ language, code, isRepeated }: Scenario): { readonly language: string; readonly code: string } {
  return { language, code: isRepeated === true ? code : `${code} ${language === 'python' ? '#' : '//'} ${randomUUID()}` };
}

export interface Run {
  readonly latency: Series;
  readonly perSecond: number;
  readonly warmShare: number;
  readonly seconds: number;
}

/**
 * Sends one scenario from `clients` clients, each sending its next when the last was answered, until `seconds` are over
 * or `limit` were answered. Every answer is checked: a figure of wrong answers is worth nothing.
 */
export async function drive(
  service: Pick<Service, 'post'>,
  scenario: Scenario,
  plan: { readonly clients: number; readonly seconds: number; readonly limit?: number; readonly pauseMs?: number },
): Promise<Run> {
  const durations: number[] = [];
  let warm = 0;
  let sent = 0;
  const start = performance.now();
  const deadline = start + plan.seconds * 1_000;
  const limit = plan.limit ?? Number.POSITIVE_INFINITY;
  const client = async () => {
    while (performance.now() < deadline && sent < limit) {
      sent += 1;
      const body = bodyOf(scenario);
      const before = performance.now();
      const answer = await service.post('/execute', body);
      durations.push(performance.now() - before);
      const execution = answer.body as { result?: unknown; metrics?: { warm?: boolean } };
      if (answer.status !== 200 || JSON.stringify(execution.result) !== JSON.stringify(scenario.expected)) {
        throw new Error(`${scenario.name}: ${answer.status} ${JSON.stringify(answer.body).slice(0, 500)}`);
      }
      if (execution.metrics?.warm === true) warm += 1;
      if (plan.pauseMs !== undefined) await new Promise((resolve) => setTimeout(resolve, plan.pauseMs));
    }
  };
  await Promise.all(Array.from({ length: plan.clients }, client));
  const seconds = (performance.now() - start) / 1_000;
  return { latency: summarise(durations), perSecond: durations.length / seconds, warmShare: warm / durations.length, seconds };
}
