/** Gives `act` a signal that is also aborted after `ms`. */
export async function within<T>(ms: number, parent: AbortSignal, act: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const bound = new AbortController();
  const onParentAbort = (): void => bound.abort(parent.reason);
  const timer = setTimeout(() => bound.abort(new DOMException(`Nothing came within ${ms} ms.`, 'TimeoutError')), ms);
  parent.addEventListener('abort', onParentAbort, { once: true });
  try {
    return await act(bound.signal);
  } finally {
    clearTimeout(timer);
    parent.removeEventListener('abort', onParentAbort);
  }
}

/** Rejects with the signal's reason when that aborts first; what the promise stands for goes on. */
export async function unlessAborted<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  const { promise: aborted, reject } = Promise.withResolvers<never>();
  const onAbort = (): void => reject(signal.reason);
  signal.addEventListener('abort', onAbort, { once: true });
  try {
    return await Promise.race([promise, aborted]);
  } finally {
    signal.removeEventListener('abort', onAbort);
  }
}
