import { messageOf } from '@code-executor/platform';
import { z } from 'zod';
import { parseAllowRules } from './allow-rules.ts';

/** Variables of who reaches upstreams. */
export const outboundSettings = {
  /** Addresses of this machine, of private networks and of metadata services that upstreams may have: hosts, `*.host`, IPs and ranges, with or without a port. */
  EXECUTOR_OUTBOUND_ALLOW: z
    .string()
    .default('')
    .transform((text, context) => {
      try {
        return parseAllowRules(text);
      } catch (error) {
        context.addIssue(messageOf(error));
        return z.NEVER;
      }
    }),
  /** `true`: an admin key opens no such address by spelling it out in an integration. */
  EXECUTOR_OUTBOUND_STRICT: z
    .enum(['true', 'false'])
    .default('false')
    .transform((text) => text === 'true'),
};
