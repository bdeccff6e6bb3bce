/**
 * What a program learns from outside of its text, made repeatable: randomness comes from a seed, and what clocks said is told to the
 * service with each tool call, so that a later run of the same program can be told the same. Threads and processes cannot be repeated;
 * who starts one says so.
 */
export interface Determinism {
  /** 32 bytes in hexadecimal. */
  readonly seed: string;
  /** What each clock said the first time; absent where this is the first time. */
  readonly clock?: Readonly<Record<string, readonly number[]>>;
}

export interface Journal {
  readonly clock?: Record<string, number[]>;
  /** Why this run cannot be repeated. */
  readonly tainted?: string;
}

/** Of one execution; a program that looks at the clock more often is not repeated. */
const READS_MAXIMUM = 4_096;

let unsent: Record<string, number[]> = {};
let unsentCount = 0;
let reads = 0;
let tainted: string | undefined;
let past: Record<string, { readonly values: readonly number[]; at: number; offset: number }> = {};

/** What happened since the last call; undefined: nothing. */
export function takeJournal(): Journal | undefined {
  if (unsentCount === 0 && tainted === undefined) return undefined;
  const journal: Journal = { ...(unsentCount === 0 ? {} : { clock: unsent }), ...(tainted === undefined ? {} : { tainted }) };
  unsent = {};
  unsentCount = 0;
  return journal;
}

/** Null: the world is as it is, and nothing is told. */
let random: ReturnType<typeof createRandom> | null = null;
let isInstalled = false;

/** While nobody waits: replaces what it has to, which does as before until `installWorld`, and has everything done once. */
export function warmUpWorld(): void {
  installWorld({ seed: '0'.repeat(64) });
  patchModulesNamedIn(['']);
  Math.random();
  Date.now();
  random = null;
  unsent = {};
  unsentCount = 0;
  reads = 0;
}

function replaceOnce(): void {
  if (isInstalled) return;
  isInstalled = true;
  const realRandom = Math.random;
  Math.random = () => (random === null ? realRandom() : random.float());
  installClocks();
  installRandomBytes();
  installTaints();
}

/** Before the program's first line. */
export function installWorld({ seed, clock = {} }: Determinism): void {
  replaceOnce();
  past = Object.fromEntries(Object.entries(clock).map(([name, values]) => [name, { values, at: 0, offset: 0 }]));
  random = createRandom(seed);
}

/** The next thing that a clock says: what it said the first time, and from there on what it says now, never before. */
function tell(name: string, now: number): number {
  if (random === null) return now;
  const known = past[name];
  let value = now;
  if (known !== undefined) {
    if (known.at < known.values.length) {
      value = known.values[known.at] as number;
      known.at += 1;
      known.offset = Math.max(0, value - now);
    } else value = now + known.offset;
  }
  reads += 1;
  if (reads > READS_MAXIMUM) tainted = 'it looked at the clock too often';
  else {
    unsent[name] ??= [];
    (unsent[name] as number[]).push(value);
    unsentCount += 1;
  }
  return value;
}

function installClocks(): void {
  const RealDate = Date;
  const now = RealDate.now.bind(RealDate);
  const dateNow = (): number => tell('d', now());
  const Replaced = function (this: unknown, ...given: unknown[]): unknown {
    if (new.target === undefined) return new RealDate(dateNow()).toString();
    return Reflect.construct(RealDate, given.length === 0 ? [dateNow()] : given, new.target === Replaced ? RealDate : new.target);
  } as unknown as DateConstructor;
  Object.defineProperties(Replaced, Object.getOwnPropertyDescriptors(RealDate));
  Object.defineProperty(Replaced, 'now', { value: dateNow, writable: true, configurable: true });
  Object.defineProperty(RealDate.prototype, 'constructor', { value: Replaced, writable: true, configurable: true });
  Object.defineProperty(globalThis, 'Date', { value: Replaced, writable: true, configurable: true });

  const performanceNow = performance.now.bind(performance);
  Object.defineProperty(performance, 'now', { value: () => tell('p', performanceNow()), writable: true, configurable: true });
  const realHrtime = process.hrtime.bigint.bind(process.hrtime);
  const hrtime = (since?: [number, number]): [number, number] => {
    const nanoseconds = tell('h', Number(realHrtime()));
    const seconds = Math.floor(nanoseconds / 1e9);
    const rest = Math.floor(nanoseconds - seconds * 1e9);
    if (since === undefined) return [seconds, rest];
    return rest >= since[1] ? [seconds - since[0], rest - since[1]] : [seconds - since[0] - 1, rest - since[1] + 1e9];
  };
  process.hrtime = Object.assign(hrtime, { bigint: () => BigInt(Math.floor(tell('h', Number(realHrtime())))) });
  const uptime = process.uptime.bind(process);
  process.uptime = () => tell('u', uptime());
  const bun = (globalThis as { Bun?: { nanoseconds(): number } }).Bun;
  if (bun !== undefined) {
    const nanoseconds = bun.nanoseconds.bind(bun);
    tryTo(() => Object.defineProperty(bun, 'nanoseconds', { value: () => tell('n', nanoseconds()), writable: true, configurable: true }));
  }
}

/** Math.random by xoshiro128**; bytes, which may become keys, by SHA-256 of the seed and a counter. */
function createRandom(seed: string): { readonly float: () => number; readonly bytes: (into: Uint8Array) => void } {
  const state = new Uint32Array(4);
  for (let index = 0; index < 4; index += 1) state[index] = Number.parseInt(seed.slice(index * 8, index * 8 + 8), 16);
  let [a = 1, b = 2, c = 3, d = 4] = state;
  const next = (): number => {
    const multiplied = Math.imul(b, 5);
    const result = Math.imul((multiplied << 7) | (multiplied >>> 25), 9) >>> 0;
    const shifted = b << 9;
    c ^= a;
    d ^= b;
    b ^= c;
    a ^= d;
    c ^= shifted;
    d = (d << 11) | (d >>> 21);
    return result;
  };
  let block: Uint8Array = new Uint8Array(0);
  let used = 0;
  let counter = 0;
  const bytes = (into: Uint8Array): void => {
    for (let offset = 0; offset < into.length; ) {
      if (used === block.length) {
        block = digest(`${seed}:${counter}`);
        counter += 1;
        used = 0;
      }
      const count = Math.min(block.length - used, into.length - offset);
      into.set(block.subarray(used, used + count), offset);
      used += count;
      offset += count;
    }
  };
  return { float: () => (next() * 0x200000 + (next() >>> 11)) / 0x20000000000000, bytes };
}

function digest(text: string): Uint8Array {
  return loaded('node:crypto').createHash('sha512').update(text).digest() as unknown as Uint8Array;
}

/** Loaded where it is needed alone: few programs are. */
// biome-ignore lint/suspicious/noExplicitAny: modules of the runtime, patched below
const loaded = (name: string): any => (process as unknown as { getBuiltinModule(id: string): unknown }).getBuiltinModule(name);

const asBytes = (view: ArrayBufferView): Uint8Array => new Uint8Array(view.buffer as ArrayBuffer, view.byteOffset, view.byteLength);

function installRandomBytes(): void {
  const realRandomValues = crypto.getRandomValues.bind(crypto);
  const fill = (into: Uint8Array): void => {
    if (random !== null) random.bytes(into);
    else for (let at = 0; at < into.length; at += 65_536) realRandomValues(into.subarray(at, at + 65_536));
  };
  const getRandomValues = <View extends ArrayBufferView>(view: View): View => {
    if (view.byteLength > 65_536) throw new DOMException('The requested length exceeds 65536 bytes', 'QuotaExceededError');
    fill(asBytes(view));
    return view;
  };
  const randomUUID = (): string => {
    const all = new Uint8Array(16);
    fill(all);
    all[6] = ((all[6] as number) & 0x0f) | 0x40;
    all[8] = ((all[8] as number) & 0x3f) | 0x80;
    const hex = Array.from(all, (byte) => byte.toString(16).padStart(2, '0')).join('');
    return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`;
  };
  replace(crypto, { getRandomValues, randomUUID });
  // Whoever imports it finds it patched: a module of the runtime is one object for everybody.
  onceLoaded('crypto', (module) => {
    const randomBytes = (size: number, callback?: (error: Error | null, bytes: Buffer) => void): Buffer | undefined => {
      const all = Buffer.alloc(size);
      fill(all);
      if (callback === undefined) return all;
      setImmediate(callback, null, all);
      return undefined;
    };
    const randomFillSync = <View extends ArrayBufferView>(view: View, offset = 0, size?: number): View => {
      const all = asBytes(view);
      fill(all.subarray(offset, size === undefined ? undefined : offset + size));
      return view;
    };
    const randomInt = (first: number, second?: unknown, third?: unknown): number | undefined => {
      const [low, high] = typeof second === 'number' ? [first, second] : [0, first];
      const all = new Uint8Array(6);
      fill(all);
      const value = low + (all.reduce((sum, byte) => sum * 256 + byte, 0) % (high - low));
      const callback = typeof second === 'function' ? second : third;
      if (typeof callback !== 'function') return value;
      setImmediate(callback as (error: null, value: number) => void, null, value);
      return undefined;
    };
    replace(module, { randomBytes, randomFillSync, randomInt, randomUUID, getRandomValues });
    taintBy(
      module,
      ['randomFill', 'generateKeyPair', 'generateKeyPairSync', 'generateKey', 'generateKeySync'],
      'it made keys that cannot be repeated',
    );
  });
}

function installTaints(): void {
  const why = 'it started a process';
  onceLoaded('child_process', (module) =>
    taintBy(module, ['spawn', 'spawnSync', 'exec', 'execSync', 'execFile', 'execFileSync', 'fork'], why),
  );
  const bun = (globalThis as { Bun?: object }).Bun;
  // Looked at where it is named alone: Bun makes its shell, for a millisecond, in order to have it replaced.
  if (bun !== undefined) {
    whereNamed(/bun/i, () => {
      taintBy(bun, ['spawn', 'spawnSync', '$'], why);
      taintBy(bun, ['randomUUIDv7'], 'it made identifiers that cannot be repeated');
    });
  }
  whereNamed(/Worker/, () => taintBy(globalThis, ['Worker'], 'it started a thread'));
  onceLoaded('worker_threads', (module) => taintBy(module, ['Worker'], 'it started a thread'));
}

/** Modules of the runtime take milliseconds to load: those that the program names are patched, before its first line. */
const toPatch: { readonly named: RegExp; readonly patch: () => void }[] = [];
const whereNamed = (named: RegExp, patch: () => void): void => void toPatch.push({ named, patch });
const onceLoaded = (name: string, patch: (module: object) => void): void =>
  whereNamed(new RegExp(name), () => patch(loaded(`node:${name}`)));

export function patchModulesNamedIn(texts: readonly string[]): void {
  for (const { named, patch } of toPatch) {
    if (texts.some((text) => named.test(text))) tryTo(patch);
  }
}

function taintBy(owner: object, names: readonly string[], why: string): void {
  for (const name of names) {
    const original = (owner as Record<string, unknown>)[name];
    if (typeof original !== 'function') continue;
    const replaced: object = new Proxy(original, {
      apply(target, self, given) {
        tainted = why;
        return Reflect.apply(target, self, given);
      },
      construct(target, given, newTarget): object {
        tainted = why;
        return Reflect.construct(target, given, newTarget === replaced ? target : newTarget);
      },
    });
    replace(owner, { [name]: replaced });
  }
}

function replace(owner: object, members: Readonly<Record<string, unknown>>): void {
  for (const [name, value] of Object.entries(members))
    tryTo(() => Object.defineProperty(owner, name, { value, writable: true, configurable: true, enumerable: true }));
}

/** What a runtime does not let be replaced stays as it is: its use makes a repetition diverge, which is noticed. */
function tryTo(act: () => void): void {
  try {
    act();
  } catch (error) {
    if (!(error instanceof TypeError)) throw error;
  }
}
