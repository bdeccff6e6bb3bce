import { hash } from 'node:crypto';
import type { ToolDefinition } from '@code-executor/contracts';
import { canonicalJson } from '../calls/canonical-json.ts';

/** Of everything that a person judged when the tool was accepted; `binding`: what it sends where, as the source's kind writes it. */
export function definitionDigest(tool: ToolDefinition, binding?: string): string {
  const { title, description, inputSchema, outputSchema, annotations, skill } = tool;
  const judged = { title, description, inputSchema, outputSchema, annotations, ...(skill === undefined ? {} : { skill }) };
  return hash('sha256', canonicalJson(binding === undefined ? judged : { ...judged, binding }));
}
