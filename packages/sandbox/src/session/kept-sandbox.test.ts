import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Runtime } from '@code-executor/contracts';
import { createLogger } from '@code-executor/platform';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openSandboxAdapter } from '../open-adapter.ts';
import { DEFAULT_LIMITS, type SandboxAdapter } from '../port.ts';
import { IDENTITY_POSITIONS } from '../program/position-map.ts';
import { runProgram } from '../program/run-program.ts';
import { type KeptSandbox, keepSandbox } from './kept-sandbox.ts';

describe.each(['launcher', 'bubblewrap'] as const)('a kept sandbox of the %s', (name) => {
  let dataDir: string;
  let adapter: SandboxAdapter;
  beforeAll(async () => {
    dataDir = mkdtempSync(join(tmpdir(), 'kept-'));
    mkdirSync(join(dataDir, 'snapshots'));
    const log = createLogger({ level: 'silent', service: 'test' });
    adapter = await openSandboxAdapter({ adapter: name, dataDir, snapshotsDir: join(dataDir, 'snapshots'), log });
  });
  afterAll(async () => {
    await adapter?.close();
    rmSync(dataDir, { recursive: true, force: true });
  });

  async function open(runtime: Runtime) {
    const sandbox = await adapter.boot({ runtime, snapshotDir: null, limits: DEFAULT_LIMITS });
    const kept = keepSandbox(sandbox) as KeptSandbox;
    let next = kept.first;
    let first = true;
    return {
      kept,
      async run(code: string, promisesResult = false) {
        if (!first) next = await kept.wake(AbortSignal.timeout(10_000));
        first = false;
        const program = {
          code,
          args: {},
          files: {},
          promisesResult,
          positions: IDENTITY_POSITIONS,
          timeoutMs: 5_000,
          nextChannel: kept.nextChannel,
        };
        const hooks = {
          onCall: async () => ({ ok: true as const, value: 'called' }),
          onDiscover: async () => ({ ok: true as const, value: null }),
        };
        const outcome = await runProgram(next, program, hooks, { signal: AbortSignal.timeout(10_000) });
        if (outcome.kept) expect(await kept.rest()).toBe(true);
        return outcome;
      },
      async close() {
        kept.kill();
        await kept.ended;
      },
    };
  }

  test('Python: variables, files and output, program after program', async () => {
    const session = await open('python');
    try {
      expect((await session.run('import os, subprocess\nx = [1]\nprint("one")\nopen("f","w").write("hi")\nx')).output).toBe('one\n');
      expect(await session.run('x.append(2)\nprint(open("f").read())\nx')).toMatchObject({ output: 'hi\n', resultJson: '[1,2]' });
      expect(await session.run('tools.a.b()')).toMatchObject({ resultJson: '"called"' });
      expect(await session.run('1/0')).toMatchObject({ status: 'failed', error: { code: 'UNCAUGHT', line: 1 }, kept: true });
      expect(await session.run('return x')).toMatchObject({ resultJson: '[1,2]' });
      expect(await session.run('tools.a.b()')).toMatchObject({ resultJson: '"called"' });
      expect(await session.run('x = 3')).toMatchObject({ status: 'succeeded', kept: true });
    } finally {
      await session.close();
    }
  });

  test('TypeScript: the same', async () => {
    const session = await open('typescript');
    try {
      const value = 'export const __executionResult = ';
      expect(await session.run(`globalThis.x = [1]; console.log("one"); ${value}x`, true)).toMatchObject({
        output: 'one\n',
        resultJson: '[1]',
      });
      expect(await session.run(`x.push(2); console.log("two"); ${value}x`, true)).toMatchObject({ output: 'two\n', resultJson: '[1,2]' });
      expect(await session.run(`${value}await tools.a.b()`, true)).toMatchObject({ resultJson: '"called"' });
      expect(await session.run(`${value}await tools.a.b()`, true)).toMatchObject({ resultJson: '"called"' });
      expect(await session.run('throw new Error("x"); export {}')).toMatchObject({
        status: 'failed',
        error: { message: 'Error: x' },
        kept: true,
      });
      expect(await session.run('setTimeout(() => console.log("late"), 20); export {}')).toMatchObject({
        status: 'succeeded',
        output: 'late\n',
        kept: true,
      });
      expect(await session.run('setTimeout(() => { throw new Error("later") }, 20); export {}')).toMatchObject({
        error: { message: 'Error: later' },
        kept: true,
      });
      expect(await session.run(`${value}x.length`, true)).toMatchObject({ resultJson: '2' });
    } finally {
      await session.close();
    }
  });
});
