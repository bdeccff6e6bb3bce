import { existsSync } from 'node:fs';
import { metaOf, type ToolChannel, ToolError } from './tool-channel.ts';

/** Where generated wrappers find the channel: `globalThis[Symbol.for('code-executor')]`. */
const SEAM = Symbol.for('code-executor');

/** Puts in place what a program sees without an import: `args`, and what `prepareGlobals` makes. */
export function installGlobals(args: unknown, channel: ToolChannel): void {
  prepareGlobals();
  current = channel;
  define('args', args);
}

/** `tools`, `ToolError`, and a `fetch` that explains itself; they are the same for every program, so a runner that waits has them made. */
export function prepareGlobals(): void {
  if (ownNames.size > 0) return;
  // Of a session's later programs: wrappers that are loaded hold the seam, which leads to the channel of now.
  const seam: ToolChannel = {
    call: (tool, given) => channelOfNow().call(tool, given),
    discover: (operation, params) => channelOfNow().discover(operation, params),
  };
  ownNames = new Set([...Object.getOwnPropertyNames(globalThis), 'args']);
  define(SEAM, Object.freeze({ call: seam.call, discover: seam.discover, metaOf, ToolError, keep }));
  define('ToolError', ToolError);
  define('tools', toolTree(seam));
  const nativeFetch = globalThis.fetch;
  define('fetch', Object.assign(explainingFetch(nativeFetch), nativeFetch));
}

let current: ToolChannel | null = null;
function channelOfNow(): ToolChannel {
  if (current === null) throw new Error('No program runs yet.');
  return current;
}
/** What a runtime has itself: a program's variable of such a name stays its own. */
let ownNames: ReadonlySet<string> = new Set();

/** Called by what `packages/executions/src/prepare` puts before a session's program: its variables, as later programs reach them. */
function keep(bindings: Readonly<Record<string, readonly [() => unknown, ((value: unknown) => void)?]>>): void {
  for (const [name, [get, set]] of Object.entries(bindings)) {
    if (ownNames.has(name)) continue;
    const replace = (value: unknown): void => {
      Object.defineProperty(globalThis, name, { value, writable: true, configurable: true, enumerable: true });
    };
    Object.defineProperty(globalThis, name, { get, set: set ?? replace, configurable: true, enumerable: true });
  }
}

const define = (name: string | symbol, value: unknown): void => {
  Object.defineProperty(globalThis, name, { value, writable: true, configurable: true, enumerable: false });
};

/** `tools.server.tool(args)`, any name: whether it exists is the service's to say. */
function toolTree(channel: ToolChannel): unknown {
  return new Proxy(Object.freeze(Object.create(null)), {
    get: (_, server) => {
      if (typeof server === 'symbol' || server === 'then') return undefined;
      return new Proxy(Object.freeze(Object.create(null)), {
        // `then` and `toJSON` stay undefined: awaiting or returning the tree must not call a tool.
        get: (__, tool) =>
          typeof tool === 'symbol' || tool === 'then' || tool === 'toJSON'
            ? undefined
            : (args?: unknown) => (server === 'skills' ? runSkill(channel, tool, args) : channel.call(`${server}.${tool}`, args)),
      });
    },
  });
}

/** Skills run in the program itself. Of one that has no file the service says best what is wrong. */
async function runSkill(channel: ToolChannel, name: string, args: unknown): Promise<unknown> {
  const path = `/workspace/servers/skills/${name}.ts`;
  if (!/^[a-z][a-z0-9_]*$/.test(name) || !existsSync(path)) return channel.call(`skills.${name}`, args);
  const skill = ((await import(path)) as { readonly default: (args: unknown) => unknown }).default;
  return skill(args);
}

/** Without an interface a connection fails late and obscurely; only the sandbox's own loopback can answer. */
function explainingFetch(nativeFetch: typeof fetch): typeof fetch {
  return async function fetch(input, init) {
    const url = typeof input === 'string' ? input : input instanceof URL ? input.href : input.url;
    const parsed = URL.canParse(url) ? new URL(url) : null;
    if (parsed === null || !/^https?:$/.test(parsed.protocol) || isLoopback(parsed.hostname)) return nativeFetch(input, init);
    throw new TypeError(`There is no network in the sandbox: fetch of ${parsed.origin} is not possible. Call a tool instead.`);
  };
}

const isLoopback = (host: string): boolean => /^(?:localhost|(?:.+\.)?localhost|127(?:\.\d+){3}|\[::1\]|0\.0\.0\.0)$/.test(host);
