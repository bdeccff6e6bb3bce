import { spawn } from 'node:child_process';
import { Socket } from 'node:net';
import { AppError, messageOf } from '@code-executor/platform';
import { onLines } from '../boot/on-lines.ts';
import type { RootLayout } from '../rootfs/lay-out-root.ts';
import type { RuntimeCommand } from '../rootfs/runtime-command.ts';

export interface LauncherSetup {
  readonly launcherPath: string;
  readonly layout: RootLayout;
  readonly runtimes: Readonly<Record<string, RuntimeCommand>>;
  /** Empty directory that the new root is mounted on. */
  readonly rootDir: string;
  readonly channelDir: string;
  readonly snapshotsDir: string;
  readonly seccompPath: string;
}

/** What the launcher found where it runs. */
export interface LauncherConditions {
  /**
   * What a sandbox's /proc is: one of its own; one of its own without anything but processes; or the container's, read-only and
   * without the processes that ran before the launcher.
   */
  readonly proc: 'fresh' | 'pids-only' | 'shared';
  /** False: /proc/sys is read-only here, so the limits of a namespace's sockets and inotify instances cannot be set. */
  readonly hasSysctls: boolean;
}

/** One running launcher. It dies with this process, whichever way that goes, and its sandboxes with it. */
export interface LauncherProcess {
  readonly pid: number;
  readonly conditions: LauncherConditions;
  order(...fields: readonly (string | number)[]): void;
  /** The same for what has time: it goes with the next order, or a little later by itself. */
  orderSoon(...fields: readonly (string | number)[]): void;
  /** Resolves with the reason when it is gone. */
  readonly gone: Promise<string>;
  /** Ends it, and with it every sandbox. */
  stop(): void;
}

/** Starts the launcher and resolves when it can boot. `onReport` gets the fields of each later line. */
export async function startLauncher(
  setup: LauncherSetup,
  onReport: (fields: readonly string[], process: LauncherProcess) => void,
): Promise<LauncherProcess> {
  const configuration = configure(setup);
  const child = spawn(setup.launcherPath, [], { stdio: ['ignore', 'ignore', 'pipe', 'pipe'], env: {}, cwd: '/' });
  const control = child.stdio[CONTROL];
  if (!(control instanceof Socket)) throw new AppError('INTERNAL', 'The control socket of the launcher is not a socket');
  let stderr = '';
  child.stderr?.on('data', (chunk: Buffer) => {
    stderr = (stderr + chunk.toString('utf8')).slice(-STDERR_KEPT);
  });
  const stop = (): void => {
    child.ref();
    control.destroy();
    child.kill('SIGKILL');
  };
  control.on('error', stop);
  control.on('end', stop);

  let unable = '';
  const gone = new Promise<string>((resolve) => {
    child.on('error', (error) => resolve(messageOf(error)));
    child.on('exit', (code, signal) => {
      const reason = (): void => resolve(unable || stderr.trim() || `it ended with ${signal ?? `code ${code}`}`);
      // Its last words may still be on their way: `close` comes when all that it wrote is read.
      child.on('close', reason);
      setTimeout(reason, LAST_WORDS_MS).unref();
    });
  });
  let held = '';
  const sendHeld = (): void => {
    if (held !== '') control.write(held);
    held = '';
  };
  let conditions: LauncherConditions = { proc: 'shared', hasSysctls: false };
  const launcher: LauncherProcess = {
    pid: child.pid ?? 0,
    get conditions() {
      return conditions;
    },
    order(...fields) {
      control.write(`${held}${fields.join('\t')}\n`);
      held = '';
    },
    orderSoon(...fields) {
      if (held === '') setTimeout(sendHeld, SOON_MS).unref();
      held += `${fields.join('\t')}\n`;
    },
    gone,
    stop,
  };
  const started = new Promise<void>((resolve) => {
    onLines(control, (line) => {
      const fields = line.split('\t');
      if (fields[0] === 'ready') {
        conditions = readConditions(fields);
        resolve();
      } else if (fields[0] === 'unable') unable = `it was unable to ${fields[1]}`;
      else onReport(fields, launcher);
    });
  });
  control.write(configuration);

  const timeout = Promise.withResolvers<string>();
  const timer = setTimeout(() => timeout.resolve(`it was not ready in ${START_LIMIT_MS} ms`), START_LIMIT_MS);
  const failure = await Promise.race([started.then(() => null), gone, timeout.promise]);
  clearTimeout(timer);
  if (failure !== null) {
    stop();
    throw new AppError('SANDBOX_UNAVAILABLE', `The sandbox launcher did not start: ${failure}`);
  }
  child.unref();
  return launcher;
}

const CONTROL = 3;
const SOON_MS = 50;
const STDERR_KEPT = 2000;
const LAST_WORDS_MS = 500;
const START_LIMIT_MS = 5000;

/** A word that is not known here counts as the worst. */
function readConditions([, proc, sysctls]: readonly string[]): LauncherConditions {
  return { proc: proc === 'fresh' || proc === 'pids-only' ? proc : 'shared', hasSysctls: sysctls === 'own' };
}

function configure(setup: LauncherSetup): string {
  const lines: (readonly string[])[] = [
    ['channel', setup.channelDir],
    ['seccomp', setup.seccompPath],
    ['root', setup.rootDir],
    ...setup.layout.binds.map(({ source, path }) => ['bind', source, path]),
    ...setup.layout.devices.map((path) => ['device', path, path]),
    ['snapshots', setup.snapshotsDir],
    ...setup.layout.links.map(({ to, path }) => ['link', to, path]),
  ];
  for (const [name, { argv, environment }] of Object.entries(setup.runtimes)) {
    for (const word of argv) lines.push(['arg', name, word]);
    for (const [variable, value] of Object.entries(environment)) lines.push(['env', name, `${variable}=${value}`]);
  }
  lines.push(['start']);
  for (const word of lines.flat()) {
    if (/[\t\n\0]/.test(word)) throw new AppError('SANDBOX_UNAVAILABLE', `A path of the sandbox holds a tab or a newline: ${word}`);
  }
  return `${lines.map((fields) => fields.join('\t')).join('\n')}\n`;
}
