import type { McpClient } from '@code-executor/executions';
import { z } from 'zod';

const capabilitiesSchema = z.looseObject({
  elicitation: z.looseObject({ url: z.unknown().optional(), form: z.unknown().optional() }).optional(),
});
const infoSchema = z.looseObject({ name: z.string(), version: z.string() });
const NAME_LIMIT = 200;

/** What a client says of itself, cut to what is kept of it. */
export function clientOf(info: unknown, capabilities: unknown): McpClient {
  const parsed = infoSchema.safeParse(info);
  const { name, version } = parsed.success ? parsed.data : { name: 'unknown', version: '' };
  return { name: name.slice(0, NAME_LIMIT), version: version.slice(0, NAME_LIMIT), elicitation: elicitationOf(capabilities) };
}

/** `{}` says form alone, as clients of 2025-06-18 say it. */
export function elicitationOf(capabilities: unknown): McpClient['elicitation'] {
  const parsed = capabilitiesSchema.safeParse(capabilities);
  const elicitation = parsed.success ? parsed.data.elicitation : undefined;
  if (elicitation === undefined) return [];
  const both: ('url' | 'form')[] = [];
  if (elicitation.url !== undefined) both.push('url');
  if (elicitation.form !== undefined || elicitation.url === undefined) both.push('form');
  return both;
}
