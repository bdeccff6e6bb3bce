import { once } from 'node:events';
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createBubblewrapAdapter } from '../../bubblewrap/bubblewrap-adapter.ts';
import { FRAME } from '../../channel/frame-channel.ts';
import { buildLauncher } from '../../launcher/build-launcher.ts';
import { createLauncherAdapter, type LauncherAdapterOptions } from '../../launcher/launcher-adapter.ts';
import { DEFAULT_LIMITS, type Sandbox, type SandboxAdapter, type SandboxLimits, type SandboxSpec } from '../../port.ts';
import { runtimePaths } from '../../rootfs/runtime-paths.ts';

/** Built once per user and machine: the program depends on nothing but its source. */
const BUILD_DIR = join(tmpdir(), `code-executor-launcher-${process.getuid?.()}`);

export interface OpenAdapter {
  readonly adapter: SandboxAdapter;
  readonly runDir: string;
  readonly snapshotsDir: string;
  /** What the adapter logged: fields and message. */
  readonly logged: { readonly fields: Readonly<Record<string, unknown>>; readonly message: string }[];
  close(): Promise<void>;
}

/** A real adapter with the minimal runners beside this file, in a directory of its own. */
export async function openAdapter(name: SandboxAdapter['name'], changes: Partial<LauncherAdapterOptions> = {}): Promise<OpenAdapter> {
  const runDir = await mkdtemp(join(tmpdir(), 'sandbox-test-'));
  const snapshotsDir = join(runDir, 'snapshots');
  await mkdir(snapshotsDir);
  const logged: OpenAdapter['logged'] = [];
  const log = (fields: object, message = ''): void => void logged.push({ fields: { ...fields }, message });
  const options: LauncherAdapterOptions = {
    runDir,
    snapshotsDir,
    launcherPath: await buildLauncher({ outDir: BUILD_DIR }),
    runnersDir: join(import.meta.dirname, 'runners'),
    runtimes: runtimePaths(),
    log: { info: log, warn: log },
    ...changes,
  };
  const adapter = name === 'launcher' ? createLauncherAdapter(options) : createBubblewrapAdapter(options);
  return {
    adapter,
    runDir,
    snapshotsDir,
    logged,
    async close() {
      await adapter.close();
      await rm(runDir, { recursive: true, force: true });
    },
  };
}

export const spec = (
  runtime: SandboxSpec['runtime'],
  snapshotDir: string | null = null,
  limits: SandboxLimits = DEFAULT_LIMITS,
): SandboxSpec => ({
  runtime,
  snapshotDir,
  limits,
});

export interface ProgramEnd {
  readonly result: unknown;
  readonly error: string | null;
  readonly output: string;
}

/** Runs one program in a sandbox and destroys it. */
export async function runIn(sandbox: Sandbox, code: string): Promise<ProgramEnd> {
  const program = startIn(sandbox, code);
  const read = once(sandbox.output, 'close');
  let end: Omit<ProgramEnd, 'output'>;
  try {
    end = await program.ended;
  } finally {
    sandbox.kill();
    await sandbox.ended;
  }
  // The result may overtake what was printed before it.
  await read;
  return { ...end, output: program.output() };
}

/** Starts a program; `ended` is its terminal frame, or an error when its sandbox ended without one. */
export function startIn(sandbox: Sandbox, code: string): { ended: Promise<Omit<ProgramEnd, 'output'>>; output: () => string } {
  let output = '';
  sandbox.output.on('data', (chunk: Buffer) => {
    output += chunk.toString('utf8');
  });
  const end = Promise.withResolvers<Omit<ProgramEnd, 'output'>>();
  sandbox.channel.listen({
    onFrame(frame) {
      const text = frame.payload.toString('utf8');
      if (frame.type === FRAME.RESULT) end.resolve({ result: text === '' ? undefined : JSON.parse(text), error: null });
      if (frame.type === FRAME.FAILURE) end.resolve({ result: undefined, error: JSON.parse(text).message });
    },
    onViolation: (violation) => end.resolve({ result: undefined, error: violation.reason }),
    onClose: () => end.resolve({ result: undefined, error: 'the channel closed' }),
  });
  sandbox.channel.send(FRAME.RUN, JSON.stringify({ code, args: {} }));
  return { ended: end.promise, output: () => output };
}
