import { mkdir, readFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { Readable } from 'node:stream';
import { closeAll, createLogger } from '@code-executor/platform';
import { createClient, type ExecutorClient } from '@code-executor/sdk';
import { loadSourceKinds, type SourcePlugin } from '@code-executor/tools';
import { readStandaloneConfig } from './config.ts';
import { type Gateway, startStandalone } from './standalone.ts';

export interface EmbeddedOptions {
  /** Everything it keeps lies here; one executor a directory. */
  readonly dataDir: string;
  /** Variables of docs/configuration.md, such as `EXECUTOR_POOL_TYPESCRIPT`; the process's environment is not read. */
  readonly settings?: Readonly<Record<string, string>>;
  /**
   * The kinds of documents that integrations may have: names of those that come with the product, and modules with others. The first that
   * knows a document takes it. Default: all that come with the product.
   */
  readonly plugins?: readonly SourcePlugin[];
}

/** The client of the SDK over the engine in this very process: nothing listens. */
export interface EmbeddedExecutor extends ExecutorClient {
  /** Lets running programs end within seconds, then stops everything that it started. */
  close(): Promise<void>;
}

/**
 * Starts the engine in this process and resolves when it takes programs; it acts with the directory's admin key. Log lines go to
 * standard error from `EXECUTOR_LOG_LEVEL` on, warnings by default. @throws Error where a setting or a plugin is wrong, or no sandbox can be made.
 */
export async function createExecutor({ dataDir, settings = {}, plugins }: EmbeddedOptions): Promise<EmbeddedExecutor> {
  if (process.getuid?.() === 0) throw new Error('The engine does not run as root: what it starts would be root outside of its sandbox.');
  await mkdir(dataDir, { recursive: true, mode: 0o700 });
  const config = readStandaloneConfig({ EXECUTOR_LOG_LEVEL: 'warn', ...settings, EXECUTOR_DATA_DIR: resolve(dataDir) });
  const log = createLogger({ level: config.EXECUTOR_LOG_LEVEL, service: 'embedded', destination: 'stderr' });
  let gateway: Gateway | undefined;
  const sourceKinds = plugins === undefined ? undefined : await loadSourceKinds(plugins);
  const serve = async (built: Gateway): Promise<string> => {
    gateway = built;
    return 'this process';
  };
  const parts = await startStandalone(config, log, { serve, sourceKinds });
  const key = (await readFile(join(config.EXECUTOR_DATA_DIR, 'admin.key'), 'utf8')).trim();
  // The Host that the gateway knows itself by.
  const client = createClient({ url: `http://${config.EXECUTOR_HOST}:${config.EXECUTOR_PORT}`, key, fetch: injectedInto(() => gateway) });
  return { ...client, close: () => closeAll(parts, log) };
}

/** `fetch` that hands requests to the gateway without a socket. */
function injectedInto(gateway: () => Gateway | undefined): typeof globalThis.fetch {
  return async (address, init = {}) => {
    const app = gateway();
    if (app === undefined) throw new TypeError('The engine is not started.');
    const url = new URL(String(address));
    const headers = { host: url.host, ...Object.fromEntries(new Headers(init.headers)) };
    const { body, signal } = init;
    const answer = await app.inject({
      method: (init.method ?? 'GET') as 'GET',
      url: `${url.pathname}${url.search}`,
      headers,
      ...(typeof body === 'string' || body instanceof Uint8Array ? { payload: Buffer.from(body) } : {}),
      ...(signal == null ? {} : { signal }),
      payloadAsStream: true,
    });
    const stream = answer.stream();
    // A reader that goes away is what hanging up is on a socket.
    signal?.addEventListener('abort', () => stream.destroy(), { once: true });
    const isEmpty = answer.statusCode === 204 || answer.statusCode === 304;
    if (isEmpty) stream.resume();
    return new Response(isEmpty ? null : (Readable.toWeb(stream) as ReadableStream<Uint8Array>), {
      status: answer.statusCode,
      headers: Object.entries(answer.headers).flatMap(([name, value]) =>
        value === undefined ? [] : [[name, String(value)] as [string, string]],
      ),
    });
  };
}
