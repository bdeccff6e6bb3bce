import type { ToolDefinition } from '@code-executor/contracts';
import { definitionDigest } from '../../catalog/definition-digest.ts';
import { nestsWithin, TOOL_LIST_LIMITS } from '../mcp/tool-list-limits.ts';
import type { SourceTool } from '../port.ts';
import type { ToolLine } from './messages.ts';

const DEEPEST_SCHEMA = 64;
const LONGEST_TITLE = 512;
const BINDING_LIMIT_CHARACTERS = 512 * 1024;

/** One tool as it is stored, or why it cannot be one. A result schema that is too large is left out with a warning. */
export function toolLine(
  slug: string,
  { name, title, description, inputSchema, outputSchema, annotations, binding }: SourceTool<unknown>,
): { readonly line: ToolLine; readonly warning?: string } | { readonly problem: string } {
  const shown = JSON.stringify(name.slice(0, 80));
  if (name === '' || name.length > TOOL_LIST_LIMITS.nameCharacters)
    return { problem: `${shown} is left out: its name has not between 1 and ${TOOL_LIST_LIMITS.nameCharacters} characters` };
  if (!nestsWithin(inputSchema, DEEPEST_SCHEMA)) return { problem: `${shown} is left out: its arguments nest too deep` };
  const boundAs = JSON.stringify(binding);
  if (JSON.stringify(inputSchema).length > TOOL_LIST_LIMITS.schemaBytes || boundAs.length > BINDING_LIMIT_CHARACTERS)
    return { problem: `${shown} is left out: what describes its arguments is larger than ${TOOL_LIST_LIMITS.schemaBytes / 1024} KB` };
  const hasResult = outputSchema !== undefined && nestsWithin(outputSchema, DEEPEST_SCHEMA);
  const result = hasResult && JSON.stringify(outputSchema).length <= TOOL_LIST_LIMITS.schemaBytes ? outputSchema : undefined;
  const tool: ToolDefinition = {
    server: slug,
    name,
    ...(title === undefined || title === '' ? {} : { title: title.slice(0, LONGEST_TITLE).toWellFormed() }),
    description: description.slice(0, TOOL_LIST_LIMITS.descriptionCharacters).toWellFormed(),
    inputSchema,
    ...(result === undefined ? {} : { outputSchema: result }),
    annotations,
  };
  const line = { definition: JSON.stringify(tool), digest: definitionDigest(tool, boundAs), binding: boundAs };
  return result === outputSchema ? { line } : { line, warning: `${shown}: the type of its result is too large and is left out` };
}
