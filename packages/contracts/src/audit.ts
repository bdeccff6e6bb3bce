import { z } from 'zod';
import { ROLES } from './principal.ts';

/** What one line of the record says: a tool call (`tool.call`), or an act of administration (`policy.create`, `key.revoke`, …). */
export const auditRecordSchema = z.object({
  id: z.string().describe('aud_… for an act, tcl_… for a tool call'),
  at: z.string(),
  type: z.string().describe('such as tool.call, policy.create, key.revoke or access.refused'),
  principal: z.object({ id: z.string().nullable(), role: z.enum(ROLES).nullable(), name: z.string().nullable() }),
  target: z.string().nullable().describe('what it was done to'),
  server: z.string().nullable(),
  tool: z.string().nullable(),
  connection: z.string().nullable(),
  executionId: z.string().nullable(),
  callNumber: z.int().nullable(),
  requestId: z.string().nullable(),
  decision: z.string().nullable().describe('of the policies, on a tool call'),
  policyId: z.string().nullable().describe('of the rule that decided; null: what follows from the source'),
  outcome: z.string().nullable().describe('`ok`, or the code of the error; null: it has not ended, or its end is unknown'),
  durationMs: z.number().nullable(),
  replyBytes: z.int().nullable(),
  argumentDigest: z.string().nullable().describe('SHA-256 of the canonical arguments'),
  details: z.unknown().describe('what was asked for, without secrets; null: nothing more'),
  digest: z.string().nullable().describe('of an act: SHA-256 over it and the digest of the act before'),
});
export type AuditRecord = z.infer<typeof auditRecordSchema>;

export const AUDIT_TYPE = /^[a-z]{2,32}(?:\.[a-z_]{2,32})?$/;
