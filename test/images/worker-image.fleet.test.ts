import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { dockerAnswers } from '../support/containers.ts';
import { buildWorkerImage, inspectImage, makeInternalNetwork, ROOT, runInWorker, WORKER_IMAGE } from './docker.ts';

const answers = await dockerAnswers();
const SUITE_LIMIT_MS = 240_000;
/** As `docker run` and Compose v2 say it, and as Kubernetes' `procMount: Unmasked` comes out. */
const UNMASKED = '--security-opt=systempaths=unconfined';

describe.skipIf(!answers || process.getuid?.() === 0)(
  'the worker image in a hardened container (needs a Docker engine, not as root)',
  { timeout: SUITE_LIMIT_MS + 30_000 },
  () => {
    let network: Awaited<ReturnType<typeof makeInternalNetwork>>;
    beforeAll(async () => {
      await buildWorkerImage();
      network = await makeInternalNetwork();
    }, 600_000);
    afterAll(() => network?.remove());

    test('names an ordinary user, a stop signal and a health check, and holds no secret', async () => {
      const config = await inspectImage();
      expect(config).toMatchObject({ User: '10001:10001', StopSignal: 'SIGTERM', Healthcheck: { Test: expect.arrayContaining(['CMD']) } });
      expect((config.Env as string[]).map((each) => each.split('=')[0])).toEqual(
        expect.not.arrayContaining([expect.stringMatching(/KEY|SECRET|TOKEN|PASSWORD|_URL/)]),
      );
    });

    test('has no set-uid program, no compiler, no package manager of Node, and no file of anyone’s keys', async () => {
      const { stdout } = await runInWorker({
        command: [
          'sh',
          '-c',
          "find / -xdev \\( -path /proc -o -path /sys \\) -prune -o -type f -perm /6000 -print 2>/dev/null; command -v gcc cc npm npx sudo; find /app /etc /var /root -xdev \\( -name '*.key' -o -name '.env*' -o -name '.npmrc' -o -name 'id_*' \\) -print 2>/dev/null; echo end",
        ],
      });
      expect(stdout.trim()).toBe('end');
    });

    test('cannot write its root file system, and its processes hold no capability and can get none', async () => {
      const { stdout } = await runInWorker({
        command: [
          'sh',
          '-c',
          'for at in / /app /app/sandbox-image/build /usr /etc /var /opt /home /run; do (: > "$at/x") 2>/dev/null && echo "wrote $at"; done; id -u; grep -E "^(Cap|NoNewPrivs|Seccomp:)" /proc/self/status',
        ],
      });
      const none = '0000000000000000';
      expect(stdout.trim().split('\n')).toEqual([
        '10001',
        ...['CapInh', 'CapPrm', 'CapEff', 'CapBnd', 'CapAmb'].map((name) => `${name}:\t${none}`),
        'NoNewPrivs:\t1',
        'Seccomp:\t2',
      ]);
    });

    test('forbids what namespaces do not need, though the launcher may make them', async () => {
      const { stdout } = await runInWorker({
        command: [
          'python3',
          '-c',
          `import ctypes, errno
libc = ctypes.CDLL(None, use_errno=True)
calls = {"setns": (308, 0, 0), "ptrace": (101, 0), "bpf": (321, 0, 0, 0), "keyctl": (250, 0, -3, 0), "perf_event_open": (298, 0, 0, -1, -1, 0), "io_uring_setup": (425, 8, 0), "userfaultfd": (323, 0), "chroot": (161, 0),
  "open_by_handle_at": (304, -100, 0, 0), "init_module": (175, 0, 0, 0), "process_vm_readv": (310, 1, 0, 0, 0, 0, 0), "kcmp": (312, 1, 1, 0, 0, 0), "pidfd_getfd": (438, 0, 0, 0), "unshare time": (272, 0x80), "reboot": (169, 0, 0, 0, 0), "clone3": (435, 0, 0)}
for name, (number, *arguments) in calls.items():
    ctypes.set_errno(0)
    libc.syscall(ctypes.c_long(number), *map(ctypes.c_long, arguments))
    print(name, errno.errorcode.get(ctypes.get_errno()))`,
        ],
      });
      const said = Object.fromEntries(
        stdout
          .trim()
          .split('\n')
          .map((line) => [line.slice(0, line.lastIndexOf(' ')), line.slice(line.lastIndexOf(' ') + 1)]),
      );
      expect(Object.keys(said)).toHaveLength(16);
      expect(Object.entries(said).filter(([, answer]) => answer !== 'EPERM')).toEqual([['clone3', 'ENOSYS']]);
    });

    test('passes the conformance suite where the engine masks /proc, short of what its degradations name', async () => {
      const report = await runSuite(network.name, [], 'launcher adapter');
      expect(report.failed).toEqual([]);
      expect(report.passed).toBeGreaterThanOrEqual(CASES);
    });

    test('gives every sandbox a /proc of its own where the engine does not mask the container’s', async () => {
      const report = await runSuite(network.name, [UNMASKED], 'launcher adapter .*(other processes|the kernel|the network|TCP)');
      expect(report.failed).toEqual([]);
      expect(report.passed).toBeGreaterThanOrEqual(15);
    });

    test('says what is degraded, and is about as fast as on the host', async () => {
      const script = 'test/images/measure-sandboxes.ts';
      const mounted = ['--network=none', `--volume=${ROOT}/test/images:/app/test/images:ro`];
      const host = JSON.parse((await promisify(execFile)(process.execPath, [join(ROOT, script)], { timeout: 60_000 })).stdout) as Measured;
      const masked = JSON.parse((await runInWorker({ command: ['node', script], options: mounted })).stdout) as Measured;
      const whole = JSON.parse((await runInWorker({ command: ['node', script], options: [...mounted, UNMASKED] })).stdout) as Measured;
      process.stdout.write(`${JSON.stringify({ host: host.p50Ms, masked: masked.p50Ms, unmasked: whole.p50Ms })}\n`);
      expect(host.degradations).toEqual([]);
      expect(whole.degradations).toEqual([]);
      expect(masked.degradations).toEqual([expect.stringContaining('masks its /proc'), expect.stringContaining('inotify')]);
      for (const runtime of ['typescript', 'python'] as const) {
        for (const { p50Ms } of [masked, whole]) expect(p50Ms[runtime]).toBeLessThan(3 * host.p50Ms[runtime] + 10);
      }
    });
  },
);

/** The launcher's cases of the conformance suite. */
const CASES = 141;

interface Measured {
  readonly degradations: readonly string[];
  readonly p50Ms: Readonly<Record<'typescript' | 'python', number>>;
}

/** The suite of this checkout, run by vitest inside the container, on the image's own launcher and runners. */
async function runSuite(
  network: string,
  options: readonly string[],
  cases: string,
): Promise<{ readonly passed: number; readonly failed: readonly string[] }> {
  const mounted = ['node_modules', 'packages', 'vitest.config.ts'].map((path) => `--volume=${ROOT}/${path}:/app/${path}:ro`);
  const { stdout, stderr } = await runInWorker({
    // Its report is written to a file, and the only thing printed on standard output.
    command: [
      'sh',
      '-c',
      'node node_modules/vitest/vitest.mjs run "$@" >&2; cat /tmp/report.json',
      'vitest',
      ...RUN,
      `--testNamePattern=${cases}`,
    ],
    options: [`--network=${network}`, ...mounted, ...options],
    timeoutMs: SUITE_LIMIT_MS,
  });
  if (stdout === '') throw new Error(`${WORKER_IMAGE} ran no suite: ${stderr.slice(-2_000)}`);
  const report = JSON.parse(stdout) as Report;
  return {
    passed: report.numPassedTests,
    failed: report.testResults.flatMap(({ message, assertionResults }) => [
      ...(message === '' ? [] : [message]),
      ...assertionResults
        .filter(({ status }) => status === 'failed')
        .map(({ fullName, failureMessages }) => `${fullName}: ${failureMessages.join()}`),
    ]),
  };
}

const RUN = [
  'packages/sandbox/src/conformance.test.ts',
  '--configLoader=native',
  '--project=host',
  '--reporter=json',
  '--outputFile=/tmp/report.json',
];

interface Report {
  readonly numPassedTests: number;
  readonly testResults: readonly {
    readonly message: string;
    readonly assertionResults: readonly {
      readonly status: string;
      readonly fullName: string;
      readonly failureMessages: readonly string[];
    }[];
  }[];
}
