import type { ContentBlock } from '@modelcontextprotocol/server';
import { z } from 'zod';

const base64 = z.string().regex(/^[A-Za-z0-9+/]*={0,2}$/);
const mimeType = z
  .string()
  .regex(/^[\w.+-]+\/[\w.+-]+$/)
  .max(100);
const resourceFields = { uri: z.string().min(1).max(2_000), mimeType: z.string().max(100).optional() };

const block = z.discriminatedUnion('type', [
  z.looseObject({ type: z.literal('text'), text: z.string() }),
  z.looseObject({ type: z.literal('image'), data: base64, mimeType }),
  z.looseObject({ type: z.literal('audio'), data: base64, mimeType }),
  z.looseObject({
    type: z.literal('resource'),
    resource: z.union([z.looseObject({ ...resourceFields, text: z.string() }), z.looseObject({ ...resourceFields, blob: base64 })]),
  }),
  z.looseObject({
    type: z.literal('resource_link'),
    ...resourceFields,
    name: z.string().max(500),
    title: z.string().max(500).optional(),
    description: z.string().max(4_000).optional(),
    size: z.number().optional(),
  }),
]);
const content = z.array(block).min(1).max(200);

/**
 * The content blocks that a program returned, as a tool of an MCP server answers them, to be passed on as they are; null:
 * its result is something else.
 */
export function mcpContentOf(resultJson: string): ContentBlock[] | null {
  // Most results are none: nothing is parsed for those.
  if (!/^\s*[[{]\s*[{"]/.test(resultJson) || !resultJson.includes('"type"')) return null;
  return contentBlocksOf(JSON.parse(resultJson));
}

export function contentBlocksOf(value: unknown): ContentBlock[] | null {
  const blocks = isRecord(value) && Object.keys(value).every((key) => key === 'content' || key === 'isError') ? value.content : value;
  if (!Array.isArray(blocks)) return null;
  const parsed = content.safeParse(blocks);
  return parsed.success ? (parsed.data as ContentBlock[]) : null;
}

/** One block of an answer that is passed on: as it is, or as text where it is none that clients take. */
export function blockOf(given: unknown): ContentBlock {
  const parsed = block.safeParse(given);
  return parsed.success ? (parsed.data as ContentBlock) : { type: 'text', text: JSON.stringify(given) ?? 'null' };
}

export const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
