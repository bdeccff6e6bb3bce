import { AppError, messageOf } from '@code-executor/platform';
import type { Sandbox, SandboxSpec } from '../port.ts';
import type { BootingSandbox } from './booting-sandbox.ts';

interface BootBounds {
  readonly spec: SandboxSpec;
  readonly signal: AbortSignal | undefined;
  readonly limitMs: number | undefined;
}

/**
 * Boots within a time and until aborted; failures of every kind come out as AppError SANDBOX_UNAVAILABLE with the reason.
 * `begin` looks at its signal last thing before it orders the sandbox.
 */
export async function bootWithin(bounds: BootBounds, begin: (signal: AbortSignal) => Promise<BootingSandbox>): Promise<Sandbox> {
  const { spec, limitMs = BOOT_LIMIT_MS } = bounds;
  const controller = new AbortController();
  const given = bounds.signal;
  const abort = (): void => controller.abort(given?.reason);
  const timer = setTimeout(() => controller.abort(new Error(`it was not ready in ${limitMs} ms`)), limitMs);
  given?.addEventListener('abort', abort, { once: true });
  try {
    given?.throwIfAborted();
    const booting = await orAborted(begin(controller.signal), controller.signal);
    try {
      return await orAborted(booting.booted, controller.signal);
    } catch (error) {
      booting.kill();
      throw error;
    }
  } catch (error) {
    if (error instanceof AppError) throw error;
    throw new AppError('SANDBOX_UNAVAILABLE', `A ${spec.runtime} sandbox did not boot: ${messageOf(error)}`, { cause: error });
  } finally {
    clearTimeout(timer);
    given?.removeEventListener('abort', abort);
  }
}

const BOOT_LIMIT_MS = 10_000;

/** Rejects with the signal's reason as soon as it aborts. */
export async function orAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  const aborted = Promise.withResolvers<never>();
  const abort = (): void => aborted.reject(signal.reason);
  signal.addEventListener('abort', abort, { once: true });
  if (signal.aborted) abort();
  try {
    return await Promise.race([work, aborted.promise]);
  } finally {
    signal.removeEventListener('abort', abort);
  }
}
