/** Keys of the queue are `executor:queue:executions:…`. */
export const QUEUE_PREFIX = 'executor:queue';
export const QUEUE_NAME = 'executions';

/** Kept of BullMQ's own event stream, which nobody here reads. */
export const QUEUE_EVENTS_MAXIMUM = 100;
