import { z } from 'zod';
import { CONNECTION_NAME, CONNECTION_OWNERS } from './connection.ts';

/** How a secret will be used, without it. */
export const handoffAuthSchema = z.discriminatedUnion('type', [
  z.strictObject({ type: z.literal('bearer') }),
  z.strictObject({ type: z.literal('basic') }),
  z.strictObject({
    type: z.literal('apiKey'),
    in: z.enum(['header', 'query', 'cookie']).optional().describe('left out: as the document declares it'),
    name: z
      .string()
      .max(128)
      .regex(/^[\w!#$%&'*+.^`|~-]+$/)
      .optional(),
    scheme: z.string().min(1).max(256).optional().describe("which of the document's schemes"),
  }),
  // Where its consent page and its tokens are is said by the integration, or by the person: an agent's word could lead them anywhere.
  z.strictObject({
    type: z.literal('oauth2'),
    scopes: z
      .array(z.string().regex(/^[\x21\x23-\x5b\x5d-\x7e]{1,256}$/))
      .max(128)
      .optional()
      .describe('left out: those that the integration asks for'),
  }),
]);
export type HandoffAuth = z.infer<typeof handoffAuthSchema>;

/** What a person enters, by the kind of credential. */
export const HANDOFF_FIELDS = { bearer: ['token'], basic: ['username', 'password'], apiKey: ['value'], oauth2: [] } as const;
/** What may be left empty: an OAuth client that the provider knows already, and its authorization server where the integration names none. */
export const HANDOFF_OPTIONAL_FIELDS = { bearer: [], basic: [], apiKey: [], oauth2: ['clientId', 'clientSecret', 'issuer'] } as const;

export const newHandoffSchema = z.strictObject({
  integration: z.string().min(1).max(64),
  name: z.string().regex(CONNECTION_NAME),
  owner: z.enum(CONNECTION_OWNERS).default('workspace').describe('principal: for the key alone that asks'),
  auth: handoffAuthSchema,
});
export type NewHandoff = z.infer<typeof newHandoffSchema>;

/** Body of `POST /connections/handoffs/:id`. `writeOnly`: what is wrong in it is named in errors, never repeated. */
export const handoffValuesSchema = z
  .strictObject({ values: z.record(z.string().max(32), z.string().min(1).max(65_536)) })
  .meta({ writeOnly: true });
export type HandoffValues = z.infer<typeof handoffValuesSchema>['values'];

export const handoffSchema = z.object({
  id: z.string(),
  status: z.enum(['open', 'used', 'expired']),
  integration: z.string(),
  url: z.string().describe('where the secret, or the token, will be sent'),
  name: z.string(),
  owner: z.enum(CONNECTION_OWNERS),
  auth: handoffAuthSchema,
  fields: z.array(z.string()).describe('what is to be entered'),
  optionalFields: z.array(z.string()).describe('what may be left empty'),
  askedBy: z.string(),
  approvedBy: z.string(),
  expiresAt: z.string(),
});
export type Handoff = z.infer<typeof handoffSchema>;
