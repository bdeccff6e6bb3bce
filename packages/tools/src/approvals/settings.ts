import { wholeNumber } from '@code-executor/platform';
import { z } from 'zod';
import type { ApprovalSettings } from './approvals.ts';
import type { WebhookTarget } from './webhooks.ts';

const DAY_SECONDS = 24 * 60 * 60;

/** The variables of whoever asks people: the embedded form and the fleet's MCP proxy. */
export const approvalSettings = {
  /** How long a person has to decide on a call. */
  EXECUTOR_APPROVAL_TTL_SECONDS: wholeNumber({ min: 1, max: 30 * DAY_SECONDS, unit: 'seconds' }).default(DAY_SECONDS),
  /** From the first approval of an execution to the last moment of any other of its: bounds its life in all. */
  EXECUTOR_APPROVAL_LIFE_SECONDS: wholeNumber({ min: 1, max: 365 * DAY_SECONDS, unit: 'seconds' }).default(7 * DAY_SECONDS),
  /** `true`: nobody may approve what was asked for with the same key, an admin neither. */
  EXECUTOR_APPROVALS_BY_ANOTHER: z
    .enum(['true', 'false'])
    .default('false')
    .transform((text) => text === 'true'),
  /** Is sent a signed message of each call that waits for a person. */
  EXECUTOR_APPROVAL_WEBHOOK_URL: z.url({ protocol: /^https?$/ }).optional(),
  /** What those messages are signed with; 16 characters at least. */
  EXECUTOR_APPROVAL_WEBHOOK_SECRET: z.string().min(16, 'must have 16 characters at least').optional(),
};

const settings = z.object(approvalSettings);

export function approvalSettingsOf(
  config: z.infer<typeof settings>,
  publicUrl: string | undefined,
): Pick<ApprovalSettings, 'ttlSeconds' | 'lifeSeconds' | 'byAnother'> & { readonly webhook: WebhookTarget | undefined } {
  const { EXECUTOR_APPROVAL_WEBHOOK_URL: url, EXECUTOR_APPROVAL_WEBHOOK_SECRET: secret } = config;
  return {
    ttlSeconds: config.EXECUTOR_APPROVAL_TTL_SECONDS,
    lifeSeconds: config.EXECUTOR_APPROVAL_LIFE_SECONDS,
    byAnother: config.EXECUTOR_APPROVALS_BY_ANOTHER,
    webhook: url === undefined ? undefined : { url, secret, publicUrl: publicUrl?.replace(/\/+$/, '') },
  };
}
