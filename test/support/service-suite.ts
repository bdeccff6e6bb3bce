import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect } from 'vitest';
import { type Service, startService } from './start-service.ts';

/** An execution as a client reads it. */
export interface Answer {
  executionId: string;
  status: string;
  result: unknown;
  output: string;
  error: { code: string; message: string; line?: number; column?: number; stack?: string; details?: unknown } | null;
  truncated: boolean;
  droppedBytes: number;
  effects: string;
  executionTime: number;
  toolCalls: { tool: string; outcome: string; durationMs: number }[];
  metrics: { queueMs: number; totalMs: number; warm: boolean; outputBytes: number; outputTokens: number };
  approval: { id: string; tool: string; arguments: unknown } | null;
}

/** The embedded service for one test file: started before its first test, stopped and wiped after its last. */
export function serviceForThisFile(environment: Record<string, string> = {}): {
  service(): Service;
  dataDir(): string;
  execute(body: Record<string, unknown>): Promise<Answer>;
  typescript(code: string, more?: Record<string, unknown>): Promise<Answer>;
  python(code: string, more?: Record<string, unknown>): Promise<Answer>;
} {
  let directory: string;
  let service: Service;
  beforeAll(async () => {
    directory = mkdtempSync(join(tmpdir(), 'service-'));
    mkdirSync(join(directory, 'data'));
    service = await startService(join(directory, 'data'), environment);
  }, 150_000);
  afterAll(async () => {
    await service?.stop();
    rmSync(directory, { recursive: true, force: true });
  });
  const execute = async (body: Record<string, unknown>): Promise<Answer> => {
    const answer = await service.post('/execute', body);
    expect(answer.status, JSON.stringify(answer.body)).toBe(200);
    return answer.body as Answer;
  };
  return {
    service: () => service,
    dataDir: () => join(directory, 'data'),
    execute,
    typescript: (code, more) => execute({ language: 'typescript', code, ...more }),
    python: (code, more) => execute({ language: 'python', code, ...more }),
  };
}
