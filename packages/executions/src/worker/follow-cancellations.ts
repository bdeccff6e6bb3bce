import { idPattern } from '@code-executor/contracts';
import type { Logger } from '@code-executor/platform';
import { CHANNELS } from '../live-stream/fleet-channels.ts';
import { subscribeChannels } from '../live-stream/subscribe-channels.ts';

const EXECUTION_ID = idPattern('exe');

/**
 * Hears which executions somebody wants cancelled, for as long as Redis answers. It may miss some: the renewal of the
 * leases is what tells for certain.
 */
export function followCancellations(options: {
  /** Of Redis. */
  readonly redis: string;
  readonly log: Logger;
  readonly onCancel: (executionId: string) => void;
}): { connected(): boolean; close(): void } {
  const { redis, log, onCancel } = options;
  return subscribeChannels({
    redis,
    name: 'worker-cancellations',
    log,
    channels: {
      [CHANNELS.cancel]: (executionId) => {
        if (EXECUTION_ID.test(executionId)) onCancel(executionId);
      },
    },
    onSubscribed: () => undefined,
  });
}
