import type { ProviderRecord, ValueProviderKind } from '@code-executor/contracts';
import { AppError } from '@code-executor/platform';

/** A place that secret values are read from, at each use. */
export interface ValueProvider {
  readonly kind: ValueProviderKind;
  readonly configured: boolean;
  /** Where values lie and how a key is written; where it is not configured, how to do that. */
  readonly description: string;
  /** `maximumAgeMs`: how long the value may be used at most, where the provider says it. @throws AppError CONNECTION_BROKEN, CONNECTION_UNAVAILABLE */
  read(key: string, signal: AbortSignal): Promise<{ readonly value: string; readonly maximumAgeMs?: number | undefined }>;
  close?(): Promise<void>;
}

export interface ValueProviders {
  list(): readonly ProviderRecord[];
  /** @throws AppError CONNECTION_BROKEN, CONNECTION_UNAVAILABLE; the signal's reason. */
  read(kind: ValueProviderKind, key: string, signal: AbortSignal): Promise<string>;
  /** It was refused somewhere: the next read looks anew. */
  forget(kind: ValueProviderKind, key: string): void;
  close(): Promise<void>;
}

const SEALED: ProviderRecord = {
  kind: 'sealed',
  configured: true,
  description: 'The value itself, sealed in the database (AES-256-GCM). Nothing to refer to: give the value as a text.',
};
/** One read, whoever waits for it. */
const READ_TIMEOUT_MS = 15_000;
const MOST_KEPT = 1_000;

/** Reads values and keeps each for a short time; several calls at once read once. */
export function createValueProviders(providers: readonly ValueProvider[], cacheMs: number): ValueProviders {
  const kept = new Map<string, { readonly value: string; readonly until: number }>();
  const reading = new Map<string, Promise<string>>();
  const id = (kind: string, key: string): string => `${kind} ${key}`;

  function providerOf(kind: ValueProviderKind): ValueProvider {
    const provider = providers.find((candidate) => candidate.kind === kind);
    if (provider?.configured !== true)
      throw new AppError('CONNECTION_BROKEN', `The provider ${kind} is not configured here. ${provider?.description ?? ''}`.trim());
    return provider;
  }

  async function readAnew(provider: ValueProvider, key: string): Promise<string> {
    const { value, maximumAgeMs } = await provider.read(key, AbortSignal.timeout(READ_TIMEOUT_MS));
    const [oldest] = kept.keys();
    if (kept.size >= MOST_KEPT && oldest !== undefined) kept.delete(oldest);
    kept.set(id(provider.kind, key), { value, until: performance.now() + Math.min(cacheMs, maximumAgeMs ?? cacheMs) });
    return value;
  }

  return {
    list: () => [SEALED, ...providers.map(({ kind, configured, description }) => ({ kind, configured, description }))],
    async read(kind, key, signal) {
      signal.throwIfAborted();
      const provider = providerOf(kind);
      const known = kept.get(id(kind, key));
      if (known !== undefined && performance.now() < known.until) return known.value;
      kept.delete(id(kind, key));
      let read = reading.get(id(kind, key));
      if (read === undefined) {
        read = readAnew(provider, key).finally(() => reading.delete(id(kind, key)));
        reading.set(id(kind, key), read);
      }
      return untilAborted(read, signal);
    },
    forget: (kind, key) => void kept.delete(id(kind, key)),
    async close() {
      kept.clear();
      await Promise.all(providers.map((provider) => provider.close?.()));
    },
  };
}

/** Rejects with the signal's reason when that comes first; the work goes on for others who wait for it. */
export async function untilAborted<Result>(work: Promise<Result>, signal: AbortSignal): Promise<Result> {
  signal.throwIfAborted();
  const { promise, reject } = Promise.withResolvers<never>();
  const abort = (): void => reject(signal.reason);
  signal.addEventListener('abort', abort, { once: true });
  try {
    return await Promise.race([work, promise]);
  } finally {
    signal.removeEventListener('abort', abort);
  }
}
