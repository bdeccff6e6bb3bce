import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { startService } from './support/start-service.ts';

test.each(['SIGTERM', 'SIGKILL'] as const)(
  'a session that a service ended by %s held is lost, and its principal is told once',
  async (signal) => {
    const directory = mkdtempSync(join(tmpdir(), 'restart-'));
    const dataDir = join(directory, 'data');
    mkdirSync(dataDir);
    let service = await startService(dataDir);
    try {
      const run = async (code: string) => (await service.post('/execute', { language: 'python', sessionId: 's', code })).body;
      expect(await run('x = 1')).toMatchObject({ status: 'succeeded' });
      await service.stop(signal);
      service = await startService(dataDir);
      expect(await run('x')).toMatchObject({ status: 'failed', error: { code: 'SESSION_LOST' }, effects: 'not_started' });
      expect(await run('"x" in globals()')).toMatchObject({ status: 'succeeded', result: false });
    } finally {
      await service.stop();
      rmSync(directory, { recursive: true, force: true });
    }
  },
  180_000,
);
