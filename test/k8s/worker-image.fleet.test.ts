import { execFile } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { dockerAnswers } from '../support/containers.ts';
import { dockerRunFlags } from './docker-run.ts';
import { onlyContainer, ROOT, render, workload } from './manifests.ts';

const run = promisify(execFile);

const IMAGE = 'code-executor-worker:test';
const BUILD_TIMEOUT_MS = 900_000;
const RUN_TIMEOUT_MS = 120_000;
const FIRST_PROGRAM = '/app/first-program.ts';

const answers = await dockerAnswers();

describe.skipIf(!answers)(`the worker's image under Docker as its pod is confined${answers ? '' : ' (no Docker engine answers)'}`, () => {
  const manifests = render('k8s/overlays/home');
  const names: string[] = [];
  let directory = '';
  let flags: readonly string[] = [];

  beforeAll(async () => {
    await ensureImage();
    directory = await mkdtemp(join(tmpdir(), 'pod-'));
    // The container's user is nobody here.
    await chmod(directory, 0o755);
    const secret = { 'redis-url': 'redis://worker:secret@127.0.0.1:6379\n', 'internal-key': `${'f'.repeat(64)}\n` };
    flags = await dockerRunFlags(await manifests, 'worker', { secret, directory });
  }, BUILD_TIMEOUT_MS);

  afterAll(async () => {
    for (const name of names) await docker(['rm', '--force', name]);
    await rm(directory, { recursive: true, force: true });
  });

  test('the flags say all that the pod says', () => {
    expect(flags.join(' ')).toMatch(
      /--user 10001:10001 .*--read-only .*no-new-privileges .*--cap-drop ALL .*seccomp=.*--memory \d+ .*--cpu-quota \d+/,
    );
  });

  test('runs a first program of each language in a sandbox', async () => {
    const { pod } = workload(await manifests, 'worker');
    const program = ['--volume', `${join(ROOT, 'test/k8s/testing/first-program.ts')}:${FIRST_PROGRAM}:ro`];
    const { stdout } = await docker([
      'run',
      '--rm',
      '--name',
      newName(),
      '--network',
      'none',
      ...flags,
      ...program,
      IMAGE,
      'node',
      FIRST_PROGRAM,
    ]);
    expect(JSON.parse(stdout)).toEqual({
      adapter: 'launcher',
      uid: String(pod.securityContext?.runAsUser),
      gid: String(pod.securityContext?.runAsGroup),
      capabilities: '0000000000000000',
      noNewPrivileges: '1',
      seccomp: '2',
      rootWrite: 'EROFS',
      typescript: [4, true],
      python: [4, true],
    });
  });

  test("makes no sandbox under the runtime's default profile, which is why the node has to have ours", async () => {
    const program = ['--volume', `${join(ROOT, 'test/k8s/testing/first-program.ts')}:${FIRST_PROGRAM}:ro`];
    const withoutProfile = flags.filter((flag, index) => !flag.startsWith('seccomp=') && !flags[index + 1]?.startsWith('seccomp='));
    const started = docker([
      'run',
      '--rm',
      '--name',
      newName(),
      '--network',
      'none',
      ...withoutProfile,
      ...program,
      IMAGE,
      'node',
      FIRST_PROGRAM,
    ]);
    await expect(started).rejects.toMatchObject({ stderr: expect.stringContaining('No sandbox can be made') });
  });

  test('as a service lives without Redis and mcp-proxy, is not ready, says why, and ends when it is told to', async () => {
    const name = newName();
    await docker(['run', '--detach', '--name', name, '--network', 'none', ...flags, IMAGE]);
    const { livenessProbe, readinessProbe, ports } = onlyContainer(await manifests, 'worker');
    const ask = async (path: string | undefined): Promise<{ status: number; body: string }> => {
      const source = `const a = await fetch('http://127.0.0.1:${ports?.[0]?.containerPort}${path}');
        console.log(JSON.stringify({ status: a.status, body: await a.text() }))`;
      const { stdout } = await docker(['exec', name, 'node', '--input-type=module', '--eval', source]);
      return JSON.parse(stdout);
    };
    await expect.poll(() => ask(livenessProbe?.httpGet?.path).catch(String), { timeout: 60_000 }).toMatchObject({ status: 200 });
    const ready = await ask(readinessProbe?.httpGet?.path);
    expect(ready.status).toBe(503);
    expect(ready.body).toMatch(/mcp-proxy/);
    await docker(['stop', '--time', '60', name]);
    const { stdout } = await docker(['inspect', '--format', '{{.State.ExitCode}} {{.State.OOMKilled}}', name]);
    expect(stdout.trim()).toBe('0 false');
  });

  function newName(): string {
    const name = `ce-k8s-${randomUUID()}`;
    names.push(name);
    return name;
  }
});

const docker = (args: readonly string[], timeoutMs = RUN_TIMEOUT_MS): Promise<{ stdout: string; stderr: string }> =>
  run('docker', [...args], { cwd: ROOT, timeout: timeoutMs, env: { ...process.env, DOCKER_BUILDKIT: '0' }, maxBuffer: 64 * 1024 * 1024 });

async function ensureImage(): Promise<void> {
  const { stdout } = await docker(['images', '--quiet', IMAGE]);
  if (stdout.trim() === '')
    await docker(['build', '--network', 'host', '--file', 'sandbox-image/Dockerfile', '--tag', IMAGE, '.'], BUILD_TIMEOUT_MS);
}
