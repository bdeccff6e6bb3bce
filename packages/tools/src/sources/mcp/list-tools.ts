import type { ToolDefinition } from '@code-executor/contracts';
import { z } from 'zod';
import type { McpSession } from './mcp-session.ts';
import { nestsWithin, TOOL_LIST_LIMITS, type ToolListLimits } from './tool-list-limits.ts';

export interface ToolList {
  readonly tools: readonly ToolDefinition[];
  readonly warnings: readonly string[];
}

const MOST_WARNINGS = 20;
const annotationsSchema = z.object({
  title: z.string().optional(),
  readOnlyHint: z.boolean().optional(),
  destructiveHint: z.boolean().optional(),
  idempotentHint: z.boolean().optional(),
  openWorldHint: z.boolean().optional(),
});
const objectSchema = z.record(z.string(), z.unknown());
const toolSchema = z.object({
  name: z
    .string()
    .min(1, 'must not be empty')
    .max(TOOL_LIST_LIMITS.nameCharacters, `is longer than ${TOOL_LIST_LIMITS.nameCharacters} characters`),
  title: z.string().nullish(),
  description: z.string().nullish(),
  inputSchema: objectSchema,
  outputSchema: objectSchema.nullish(),
  annotations: z.unknown().optional(),
});

/**
 * Lists all tools of a server, page by page. Bad entries are left out with a warning, the rest live. A cursor that
 * comes back, and lists past the limits, end the listing with a warning and what there is.
 * @throws whatever the session throws.
 */
export async function listAllTools(
  server: string,
  session: McpSession,
  signal: AbortSignal,
  limits: ToolListLimits = TOOL_LIST_LIMITS,
): Promise<ToolList> {
  const tools = new Map<string, ToolDefinition>();
  const warnings = createWarnings();
  const cursors = new Set<string>();
  let bytes = 0;
  let cursor: string | undefined;
  for (let page = 1; ; page += 1) {
    const { tools: entries, nextCursor } = await session.listPage(cursor, signal);
    for (const entry of entries) {
      const read = readTool(server, entry, limits);
      if ('problem' in read) {
        warnings.add(read.problem);
        continue;
      }
      bytes += read.bytes;
      if (bytes > limits.bytes) return ended(`the list is larger than ${limits.bytes / 1024 / 1024} MB; the rest is left out`);
      if (tools.has(read.tool.name)) warnings.add(`${quoted(read.tool.name)} is listed twice; the first counts`);
      else tools.set(read.tool.name, read.tool);
      if (read.warning !== undefined) warnings.add(read.warning);
      if (tools.size >= limits.tools) return ended(`the server lists ${limits.tools} tools or more; the rest is left out`);
    }
    if (nextCursor === undefined || nextCursor === '') return ended();
    if (cursors.has(nextCursor)) return ended('the cursor of tools/list goes in a circle; the listing was ended there');
    if (page >= limits.pages) return ended(`tools/list has more than ${limits.pages} pages; the rest is left out`);
    cursors.add(nextCursor);
    cursor = nextCursor;
  }

  function ended(warning?: string): ToolList {
    if (warning !== undefined) warnings.add(warning);
    if (tools.size === 0) warnings.add('the server offers no tools');
    return { tools: [...tools.values()], warnings: warnings.all() };
  }
}

type ReadTool = { readonly tool: ToolDefinition; readonly bytes: number; readonly warning?: string } | { readonly problem: string };

function readTool(server: string, entry: unknown, limits: ToolListLimits): ReadTool {
  const name =
    typeof entry === 'object' && entry !== null && 'name' in entry && typeof entry.name === 'string'
      ? quoted(entry.name)
      : 'a tool without a name';
  const parsed = toolSchema.safeParse(entry);
  if (!parsed.success) {
    const issue = parsed.error.issues[0];
    return { problem: `${name} is left out: ${issue?.path.map(String).join('.') || 'the entry'}: ${issue?.message ?? 'invalid'}` };
  }
  const fields = parsed.data;
  const schemaBytes = lengthAsJson(fields.inputSchema) + lengthAsJson(fields.outputSchema ?? null);
  if (schemaBytes > limits.schemaBytes)
    return { problem: `${name} is left out: its schemas are larger than ${limits.schemaBytes / 1024} KB or nest too deep` };
  const description = (fields.description ?? '').slice(0, limits.descriptionCharacters).toWellFormed();
  const annotations = annotationsSchema.safeParse(fields.annotations ?? {});
  const { title: annotatedTitle, ...hints } = annotations.success ? annotations.data : {};
  const title = fields.title ?? annotatedTitle;
  return {
    tool: {
      server,
      name: fields.name,
      ...(title === undefined || title === null ? {} : { title: title.slice(0, 512).toWellFormed() }),
      description,
      inputSchema: fields.inputSchema,
      ...(fields.outputSchema ? { outputSchema: fields.outputSchema } : {}),
      ...(Object.keys(hints).length > 0 ? { annotations: hints } : {}),
    },
    bytes: schemaBytes + description.length + fields.name.length,
    ...(annotations.success ? {} : { warning: `${name}: its annotations are malformed and are not heeded` }),
  };
}

/** In UTF-16 units, which is near enough for a cap; infinite where it nests deeper than JSON can be written. */
function lengthAsJson(value: unknown): number {
  try {
    return nestsWithin(value, 64) ? JSON.stringify(value).length : Number.POSITIVE_INFINITY;
  } catch (error) {
    if (error instanceof RangeError) return Number.POSITIVE_INFINITY;
    throw error;
  }
}

function createWarnings(): { add(warning: string): void; all(): string[] } {
  const kept: string[] = [];
  let count = 0;
  return {
    add(warning) {
      count += 1;
      if (kept.length < MOST_WARNINGS) kept.push(warning);
    },
    all: () => (count > kept.length ? [...kept, `… and ${count - kept.length} more warnings`] : kept),
  };
}

const quoted = (name: string): string => JSON.stringify(name.length > 80 ? `${name.slice(0, 80)}…` : name);
