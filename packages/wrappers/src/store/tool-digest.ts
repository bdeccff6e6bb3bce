import { hash } from 'node:crypto';
import type { ToolDefinition } from '@code-executor/contracts';

/** Deeper than any schema that is written by hand; what nests further is taken for different. */
const DEEPEST_COMPARISON = 100;

const digests = new WeakMap<ToolDefinition, string>();

/**
 * Of what a tool's wrappers are made from. Definitions are taken never to change once they are handed in: a changed tool is a new object.
 * `earlier` is the tool of the same name as it was before: a list that was read anew is mostly equal to it, and comparing costs a
 * fraction of hashing.
 */
export function toolDigest(tool: ToolDefinition, earlier?: ToolDefinition): string {
  const known = digests.get(tool);
  if (known !== undefined) return known;
  const ofEarlier = earlier === undefined ? undefined : digests.get(earlier);
  const digest =
    ofEarlier !== undefined && earlier !== undefined && isSameDefinition(tool, earlier) ? ofEarlier : hash('sha1', definitionText(tool));
  digests.set(tool, digest);
  return digest;
}

function isSameDefinition(a: ToolDefinition, b: ToolDefinition): boolean {
  return (
    a.server === b.server &&
    a.name === b.name &&
    a.title === b.title &&
    a.description === b.description &&
    a.skill?.language === b.skill?.language &&
    a.skill?.source === b.skill?.source &&
    isSameJson(a.inputSchema, b.inputSchema, 0) &&
    isSameJson(a.outputSchema, b.outputSchema, 0)
  );
}

/** Members in another order are different: parameters stand in the order in which a schema lists them. */
function isSameJson(a: unknown, b: unknown, depth: number): boolean {
  if (a === b) return true;
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null || depth > DEEPEST_COMPARISON) return false;
  if (Array.isArray(a) || Array.isArray(b)) {
    return Array.isArray(a) && Array.isArray(b) && a.length === b.length && a.every((item, index) => isSameJson(item, b[index], depth + 1));
  }
  const keys = Object.keys(a);
  const others = Object.keys(b);
  return (
    keys.length === others.length &&
    keys.every(
      (key, index) =>
        key === others[index] && isSameJson((a as { [key: string]: unknown })[key], (b as { [key: string]: unknown })[key], depth + 1),
    )
  );
}

function definitionText(tool: ToolDefinition): string {
  const { server, name, title, description, skill } = tool;
  const prose = [server, name, title, description, ...(skill === undefined ? [] : [skill.language, skill.source])];
  try {
    return JSON.stringify([...prose, tool.inputSchema, tool.outputSchema]);
  } catch (error) {
    // A schema nested deeper than the stack: no two reads of it are taken for the same.
    if (error instanceof RangeError) return JSON.stringify([...prose, crypto.randomUUID()]);
    throw error;
  }
}
