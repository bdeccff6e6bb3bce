import { idPattern } from '@code-executor/contracts';
import { closeRedis, type Logger, messageOf, openRedis } from '@code-executor/platform';

const CHANNEL = 'executor:cancel';
const EXECUTION_ID = idPattern('exe');

/**
 * Hears which executions somebody wants cancelled, from the moment Redis answers and again after it was away. It may miss
 * some: the renewal of the leases is what tells for certain.
 */
export function followCancellations(options: {
  /** Of Redis. */
  readonly redis: string;
  readonly log: Logger;
  readonly onCancel: (executionId: string) => void;
}): { answers(): boolean; close(): Promise<void> } {
  const { log, onCancel } = options;
  const redis = openRedis({ url: options.redis, name: 'worker-cancellations', log, use: 'subscriber' });
  redis.on('message', (_channel: string, executionId: string) => {
    if (EXECUTION_ID.test(executionId)) onCancel(executionId);
  });
  redis
    .subscribe(CHANNEL)
    .catch((error: unknown) => log.warn({ reason: messageOf(error) }, 'Cancellations are heard of with the renewals alone'));
  return {
    answers: () => redis.status === 'ready',
    close: async () => closeRedis(redis),
  };
}
