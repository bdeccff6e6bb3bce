import { wholeNumber } from '@code-executor/platform';
import { z } from 'zod';

/** The variables of whoever accepts executions. A worker of the fleet reads EXECUTOR_SESSIONS alone. */
export const sessionSettings = {
  /** A session that nobody uses for so long ends with its files and variables. */
  EXECUTOR_SESSION_IDLE_SECONDS: wholeNumber({ min: 1, max: 86_400, unit: 'seconds' }).default(900),
  /** Sandboxes kept for sessions, in the fleet by each worker; each may hold up to the memory limit. */
  EXECUTOR_SESSIONS: wholeNumber({ min: 1, max: 1_000, unit: 'sessions' }).default(16),
  /** The same of one principal, in the fleet on all workers together. */
  EXECUTOR_SESSIONS_PER_PRINCIPAL: wholeNumber({ min: 1, max: 1_000, unit: 'sessions' }).default(4),
};

const settings = z.object(sessionSettings);

export const sessionLimitsOf = (config: z.infer<typeof settings>) => ({
  idleSeconds: config.EXECUTOR_SESSION_IDLE_SECONDS,
  maximum: config.EXECUTOR_SESSIONS,
  maximumOfPrincipal: config.EXECUTOR_SESSIONS_PER_PRINCIPAL,
});
