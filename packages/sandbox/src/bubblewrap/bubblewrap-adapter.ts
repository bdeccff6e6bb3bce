import { randomUUID } from 'node:crypto';
import { closeSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { AppError } from '@code-executor/platform';
import { bootWithin } from '../boot/boot-within.ts';
import type { FrameCaps } from '../channel/frame-channel.ts';
import type { SandboxAdapter } from '../port.ts';
import { layOutRoot, type RootSources } from '../rootfs/lay-out-root.ts';
import { seccompFilter } from '../seccomp/filter.ts';
import { endLeftovers } from './end-leftovers.ts';
import { createOutputPipes } from './output-pipes.ts';
import { type WrappedSandbox, wrapSandbox } from './wrapped-sandbox.ts';

export interface BubblewrapAdapterOptions extends RootSources {
  /** Default: `bwrap` of the PATH. */
  readonly bubblewrapPath?: string | undefined;
  readonly frameCaps?: FrameCaps | undefined;
  readonly bootLimitMs?: number | undefined;
}

/** Sandboxes made by bubblewrap, for hosts that have no C compiler to build the launcher with. */
export function createBubblewrapAdapter(options: BubblewrapAdapterOptions): SandboxAdapter {
  const alive = new Set<WrappedSandbox>();
  const pipes = createOutputPipes(join(options.runDir, 'pipes'));
  const seccompPath = join(options.runDir, 'seccomp.bpf');
  let prepared: ReturnType<typeof prepare> | null = null;
  let closed = false;

  const prepareOnce = (): ReturnType<typeof prepare> => {
    prepared ??= prepare(options, seccompPath).catch((error: unknown) => {
      prepared = null;
      throw error;
    });
    return prepared;
  };

  return {
    name: 'bubblewrap',
    degradations: DEGRADATIONS,
    boot: (spec, signal) =>
      bootWithin({ spec, signal, limitMs: options.bootLimitMs }, async (bounded) => {
        const goOn = (): void => {
          if (closed) throw new AppError('SANDBOX_UNAVAILABLE', 'The sandbox adapter is closed');
          bounded.throwIfAborted();
        };
        goOn();
        const layout = await prepareOnce();
        goOn();
        const pipe = await pipes.take();
        try {
          goOn();
        } catch (error) {
          closeSync(pipe.readFd);
          closeSync(pipe.writeFd);
          pipe.release();
          throw error;
        }
        const sandbox = wrapSandbox({
          id: randomUUID(),
          spec,
          layout,
          pipe,
          seccompPath,
          bubblewrapPath: options.bubblewrapPath ?? 'bwrap',
          frameCaps: options.frameCaps,
        });
        alive.add(sandbox);
        void sandbox.gone.then(() => alive.delete(sandbox));
        return sandbox;
      }),
    async close() {
      closed = true;
      await prepared?.catch(() => null); // Whoever booted has been told.
      await Promise.all(
        [...alive].map((sandbox) => {
          sandbox.kill();
          return sandbox.gone;
        }),
      );
      await pipes.close();
    },
  };
}

const DEGRADATIONS = [
  'The private file systems have no limit on inodes and allow programs on them to be executed; bubblewrap has no option for either.',
  'The command line of the sandbox, which names directories of this host, can be read inside.',
  'Programs that run for long do not give way to the service.',
  'Processes are frozen one after the other, not at once, and a program can arrange to be woken.',
  'What lies unread in TCP sockets counts by their number and not by their bytes, which no option of bubblewrap bounds.',
  'A runtime that ends with a code above 128 is reported as ended by a signal.',
];

async function prepare(options: RootSources, seccompPath: string) {
  if (process.getuid?.() === 0)
    throw new AppError('SANDBOX_UNAVAILABLE', 'Sandboxes are not made as root; run the service as its own user');
  await mkdir(options.runDir, { recursive: true });
  await endLeftovers(options.runDir);
  await writeFile(seccompPath, seccompFilter());
  return layOutRoot(options);
}
