import { closeSync } from 'node:fs';
import type { Socket } from 'node:net';
import { type BootingSandbox, createBootingSandbox } from '../boot/booting-sandbox.ts';
import { onLines } from '../boot/on-lines.ts';
import type { FrameCaps } from '../channel/frame-channel.ts';
import type { SandboxEnd, SandboxSpec } from '../port.ts';
import type { OpenPlace } from './open-place.ts';
import type { PoolConnection } from './pool-connection.ts';

interface ContainedOptions {
  readonly id: string;
  readonly spec: SandboxSpec;
  readonly connection: PoolConnection;
  readonly frameCaps: FrameCaps | undefined;
  readonly place: (onChannel: (socket: Socket) => void, onControl: (socket: Socket) => void) => Promise<OpenPlace>;
}

/** `gone` resolves when no process of it is left and its container is on its way out. */
export type ContainedSandbox = BootingSandbox & { readonly gone: Promise<void> };

/** One container from the order to start it to its end. Takes over `connection`. Throws what opening the place throws. */
export async function containSandbox({ id, spec, connection, frameCaps, place }: ContainedOptions): Promise<ContainedSandbox> {
  const outOfMemory = Promise.withResolvers<void>();
  const gone = Promise.withResolvers<void>();
  let control: Socket | null = null;
  let made = false;
  let killed = false;
  let ranOut = false;
  let how: SandboxEnd | null = null;
  let over = false;

  const command = (letter: string): void => {
    if (control?.writable === true) control.write(letter);
  };
  const sandbox = createBootingSandbox(
    id,
    spec,
    {
      kill() {
        killed = true;
        // Its init is quickest. The service destroys the container whatever is left in it.
        command('k');
        setTimeout(() => connection.send({ type: 'remove' }), control === null ? 0 : INIT_LIMIT_MS).unref();
      },
      freeze: () => command('f'),
      thaw: () => command('t'),
      yield: () => command('y'),
    },
    frameCaps,
    { outOfMemory: outOfMemory.promise, isEnding: () => how !== null },
  );
  const opened = await place(sandbox.takeChannel, (socket) => {
    control = socket;
    socket.on('error', () => socket.destroy());
    socket.once('close', () => {
      // Init is gone without a word: the service tells when the rest is.
      connection.send({ type: 'remove' });
    });
    onLines(socket, hear);
  });
  const end = (reason: string | null): void => {
    if (over) return;
    over = true;
    sandbox.ended({ ...(how ?? { exitCode: null, signal: KILLED }), outOfMemory: ranOut }, reason);
    control?.destroy();
    connection.close();
    void opened.close().then(gone.resolve, gone.resolve);
  };

  /** Lines of init, which no program can write. */
  function hear(line: string): void {
    const [what, ...words] = line.split(' ');
    if (what === 'made' && !made) void seal();
    else if (what === 'unable') sandbox.fail(`could not ${words.join(' ')}`);
    else if (what === 'ended' && how === null) {
      const [code = -1, signal = 0] = words.map(Number);
      how = { exitCode: signal === 0 ? code : null, signal: signal === 0 ? null : signal };
      // Whether memory was the reason is asked as long as the container is there to be asked about.
      if (signal === KILLED && !killed && !ranOut) connection.send({ type: 'memory' });
      else end(null);
    }
  }
  async function seal(): Promise<void> {
    made = true;
    // The program comes after READY and READY after this: by then there is nothing left to connect to.
    await opened.seal();
    const fd = opened.takeOutput();
    if (over) closeSync(fd);
    else sandbox.made(null, fd);
  }

  connection.onEvent((event) => {
    if (event.type === 'out-of-memory' || (event.type === 'memory' && event.outOfMemory)) {
      ranOut = true;
      outOfMemory.resolve();
    }
    if (event.type === 'memory') end(null);
    if (event.type === 'gone') end(event.reason);
  });
  void connection.closed.then(() => {
    // The lease is over, and so is the sandbox: its init ends with its control connection.
    const waits = control !== null && !control.destroyed;
    command('k');
    if (waits) control?.once('close', () => end('the container service is gone'));
    else end('the container service is gone');
  });
  connection.send({ type: 'start' });
  return Object.assign(sandbox, { gone: gone.promise });
}

const KILLED = 9;
/** Ends what it holds within milliseconds; a kernel that is busy freeing memory takes longer. */
const INIT_LIMIT_MS = 1_000;
