/** The event loop is looked at so often, and an idle service wakes for it; what matters lasts longer. */
export const EVENT_LOOP_PRECISION_MS = 50;

/** What Prometheus reads. The library writes what is not known yet, such as the lag of a loop that was not looked at, as `Nan`. */
export async function metricsText(registry: { metrics(): Promise<string> }): Promise<string> {
  return (await registry.metrics()).replace(/ Nan$/gm, ' NaN');
}
