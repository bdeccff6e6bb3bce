import { idPattern } from '@code-executor/contracts';
import type { Logger } from '@code-executor/platform';
import { CHANNELS, takeChannel } from '../live-stream/fleet-channels.ts';
import { subscribeChannels } from '../live-stream/subscribe-channels.ts';

const EXECUTION_ID = idPattern('exe');
const APPROVAL_ID = idPattern('apr');

/** Hears what it may take past the queue. A Redis whose users do not know of that refuses it, and everything comes by the queue. */
export function followHandOvers(options: {
  /** Of Redis. */
  readonly redis: string;
  readonly workerId: string;
  readonly log: Logger;
  readonly onHanded: (executionId: string) => void;
}): { close(): void } {
  const { redis, workerId, log, onHanded } = options;
  return subscribeChannels({
    redis,
    name: 'worker-hand-over',
    log,
    channels: {
      [takeChannel(workerId)]: (executionId) => {
        if (EXECUTION_ID.test(executionId)) onHanded(executionId);
      },
    },
    onSubscribed: () => undefined,
  });
}

/**
 * Hears which executions somebody wants cancelled, and which approvals are decided, for as long as Redis answers. It may miss some: the renewal of the
 * leases is what tells for certain.
 */
export function followCancellations(options: {
  /** Of Redis. */
  readonly redis: string;
  readonly log: Logger;
  readonly onCancel: (executionId: string) => void;
  readonly onDecided: (approvalIds: readonly string[]) => void;
  /** Messages about sessions, as they come. */
  readonly onSessions: (message: string) => void;
}): { connected(): boolean; close(): void } {
  const { redis, log, onCancel, onDecided, onSessions } = options;
  return subscribeChannels({
    redis,
    name: 'worker-cancellations',
    log,
    channels: {
      [CHANNELS.cancel]: (executionId) => {
        if (EXECUTION_ID.test(executionId)) onCancel(executionId);
      },
      [CHANNELS.decided]: (approvalIds) => onDecided(approvalIds.split(',').filter((id) => APPROVAL_ID.test(id))),
      [CHANNELS.sessions]: onSessions,
    },
    onSubscribed: () => undefined,
  });
}
