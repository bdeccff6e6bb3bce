import type { PolicyAction, PolicyRecord } from '@code-executor/contracts';
import type { CatalogTool } from '../catalog/catalog.ts';

/** `by-name`: like `annotations`, and of the operator's allow rules none counts but that for the very tool. */
export type Trust = boolean | 'annotations' | 'by-name';

/** What follows from the server itself, where no rule of the operator's decides. */
export function sourceDefault({ tool }: CatalogTool, trust: Trust): { readonly action: PolicyAction; readonly reason: string } {
  if (trust === true) return { action: 'allow', reason: `${tool.server} is trusted` };
  if ((trust === 'annotations' || trust === 'by-name') && tool.annotations?.readOnlyHint === true)
    return { action: 'allow', reason: 'it declares itself read-only' };
  return {
    action: 'require_approval',
    reason: trust === false ? `${tool.server} is not trusted` : 'it does not declare itself read-only',
  };
}

/** The same as a rule to be read: one for a server. Its note says what it comes to. */
export function sourceRule(server: string, trust: Trust, tools: Iterable<CatalogTool>): PolicyRecord {
  let readOnly = 0;
  let total = 0;
  let drifted = 0;
  for (const { tool, driftedAt } of tools) {
    total += 1;
    if (tool.annotations?.readOnlyHint === true) readOnly += 1;
    if (driftedAt !== null && trust !== true) drifted += 1;
  }
  return {
    id: `source:${server}`,
    origin: 'source',
    pattern: `${server}.*`,
    action: trust === true ? 'allow' : 'require_approval',
    when: null,
    principal: null,
    limits: null,
    note: noteOf(trust, { total, readOnly, drifted }),
    createdAt: null,
    updatedAt: null,
    createdBy: null,
  };
}

function noteOf(
  trust: Trust,
  { total, readOnly, drifted }: { readonly total: number; readonly readOnly: number; readonly drifted: number },
): string {
  const changed = drifted === 0 ? '' : ` ${drifted} changed since the operator accepted them and need approval until a rule allows them.`;
  const where = 'Holds where no rule of the operator decides.';
  if (trust === true) return `The server is trusted: all ${total} tools are allowed. ${where}`;
  if (trust === false) return `The server is not trusted: all ${total} tools need approval. ${where}${changed}`;
  return `By annotations: ${readOnly} of ${total} tools declare themselves read-only and are allowed, the others need approval. ${where}${changed}`;
}
