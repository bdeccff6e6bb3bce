import type { ToolDefinition } from '@code-executor/contracts';
import { plainProse } from '../text/quote.ts';

/** Characters of a tool's description that its wrapper carries; `getTool` answers with the whole of it. */
const LONGEST_DESCRIPTION = 4000;

export function toolProse(tool: ToolDefinition): string {
  const description = plainProse(tool.description, LONGEST_DESCRIPTION);
  if (description !== '') return description;
  return plainProse(tool.title ?? tool.name, 200);
}
