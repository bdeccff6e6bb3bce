import type { ReplyMeta, ToolCallReply } from '@code-executor/contracts';
import { DEEPEST_REPLY, failure, REPLY_LIMIT_BYTES, scrubbed, scrubbedText } from '../mcp/reply-value.ts';
import type { Scrub } from '../mcp/secrets.ts';
import { nestsWithin } from '../mcp/tool-list-limits.ts';
import type { InvokeResult } from '../port.ts';

const MESSAGE_LIMIT_CHARACTERS = 1_000;

/** What code sees of an upstream's answer: without the credential, and within the limits of every reply. */
export function replyOfInvoke(
  address: string,
  { ok, value, message, meta }: InvokeResult,
  scrub: Scrub,
): { readonly reply: ToolCallReply; readonly bytes: number } {
  if (!nestsWithin(value, DEEPEST_REPLY))
    return { reply: failure('REPLY_TOO_LARGE', `The reply of ${address} nests deeper than ${DEEPEST_REPLY} levels`), bytes: 0 };
  const clean = scrubbed(value ?? null, scrub);
  const bytes = Buffer.byteLength(JSON.stringify(clean));
  if (bytes > REPLY_LIMIT_BYTES) {
    const said = `The reply of ${address} has ${bytes} bytes; ${REPLY_LIMIT_BYTES} are allowed. Ask the tool for less`;
    return { reply: failure('REPLY_TOO_LARGE', said), bytes };
  }
  const about = meta === undefined ? {} : { meta: scrubbed(structuredClone(meta), scrub) as ReplyMeta };
  if (ok) return { reply: { ok: true, value: clean, ...about }, bytes };
  const status = meta?.status;
  const said =
    scrubbedText(message ?? '', scrub).slice(0, MESSAGE_LIMIT_CHARACTERS) ||
    `${address} failed${status === undefined ? '' : ` with HTTP ${status}`}`;
  const details = { tool: address, ...(status === undefined ? {} : { status }), value: clean, ...about };
  return { reply: failure('TOOL_FAILED', said, details), bytes };
}
