import { randomBytes } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { AppError } from '@code-executor/platform';
import type { Sandbox } from '../port.ts';
import type { HeldWorkspace } from '../workspace/open-workspace.ts';
import { endOthers, runtimeOf } from './end-others.ts';
import { openNextChannel } from './next-channel.ts';

/** A sandbox that outlives its program: the interpreter and the files stay, everything else is ended between two programs. */
export interface KeptSandbox {
  /** For its first program. */
  readonly first: Sandbox;
  /** Of its files, which may be read and written while it rests. */
  readonly workspace: HeldWorkspace;
  /** What the next `wake` listens by: for `Program.nextChannel` of the program that runs now. */
  readonly nextChannel: string;
  readonly ended: Sandbox['ended'];
  /** After a program whose outcome says `kept`. Ends what it left running and stops the interpreter. False: it could not be done, and it is killed. */
  rest(): Promise<boolean>;
  /** The interpreter goes on, with a channel of its own. Throws AppError SESSION_LOST. */
  wake(signal: AbortSignal): Promise<Sandbox>;
  kill(): void;
}

const WAKE_MS = 5_000;

/** Takes over a sandbox that was just claimed. null: this host does not let its service look into sandboxes. */
export function keepSandbox(sandbox: Sandbox): KeptSandbox | null {
  const { initPid } = sandbox;
  const runtimePid = initPid === null ? null : runtimeOf(initPid);
  const workspace = sandbox.takeWorkspace();
  if (workspace === null || initPid === null || runtimePid === null) {
    workspace?.release();
    return null;
  }
  void sandbox.ended.then(() => workspace.release());
  let channel = sandbox.channel;
  let nextChannel = newName();

  return {
    first: { ...sandbox, takeWorkspace: () => null },
    workspace,
    get nextChannel() {
      return nextChannel;
    },
    ended: sandbox.ended,
    async rest() {
      sandbox.freeze();
      if (await endOthers(initPid, runtimePid)) {
        await discard(sandbox);
        return true;
      }
      sandbox.kill();
      return false;
    },
    async wake(signal) {
      const bound = AbortSignal.any([signal, AbortSignal.timeout(WAKE_MS)]);
      const gone = sandbox.ended.then(() => null);
      const opening = openNextChannel(workspace.fd, nextChannel, bound, () => {
        // Its end is what the interpreter waits for; nothing that was sent over it since is ever read.
        channel.close();
        sandbox.thaw();
      });
      opening.catch(() => undefined);
      try {
        const opened = await Promise.race([opening, gone]);
        if (opened === null) throw new Error('its sandbox has ended');
        channel = opened;
        nextChannel = newName();
        return { ...sandbox, channel, takeWorkspace: () => null };
      } catch (error) {
        sandbox.kill();
        signal.throwIfAborted();
        throw new AppError('SESSION_LOST', 'The interpreter of this session did not go on. The next execution begins a new one.', {
          cause: error,
        });
      }
    },
    kill: sandbox.kill,
  };
}

/** Nobody inside can know it before its time. */
const newName = (): string => `.next-${randomBytes(12).toString('hex')}`;

/** What was printed after a program's end belongs to no execution. */
async function discard({ output }: Sandbox): Promise<void> {
  output.resume();
  for (let turn = 0; turn < DISCARD_TURNS; turn += 1) await delay(0);
  output.pause();
}

const DISCARD_TURNS = 3;
