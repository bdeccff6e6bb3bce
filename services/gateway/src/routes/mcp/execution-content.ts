import type { ExecutionRecord } from '@code-executor/executions';
import type { CallToolResult, ContentBlock } from '@modelcontextprotocol/server';
import { mcpContentOf } from './mcp-content.ts';

/** Result and output up to this are in both forms of the answer, since clients show their model either; above it in the text alone. */
const BULKY_CHARS = 4_096;
/** A text beyond this overruns the context it is meant for. */
const TEXT_LIMIT_CHARS = 200_000;

/** An execution as the result of a tool: text for the model, structured content for programs, files as blocks. */
export function toolResultOf(record: ExecutionRecord, files: readonly ContentBlock[] = []): CallToolResult {
  const blocks = record.resultJson === null ? null : mcpContentOf(record.resultJson);
  const bulky = (record.resultJson?.length ?? 0) + record.output.length > BULKY_CHARS || blocks !== null;
  const text = textOf(record, blocks === null);
  const content: ContentBlock[] = [...(text === '' ? [] : [{ type: 'text' as const, text }]), ...(blocks ?? []), ...files];
  return {
    content: content.length === 0 ? [{ type: 'text', text: 'null' }] : content,
    structuredContent: structuredOf(record, bulky),
    ...(isFailure(record) ? { isError: true } : {}),
  };
}

function structuredOf(record: ExecutionRecord, bulky: boolean): Record<string, unknown> {
  const { executionId, status, output, resultJson, error, effects, toolCalls, approval, truncated, droppedBytes, executionTime } = record;
  return {
    executionId,
    status,
    ...(bulky ? { resultIn: 'content' } : { result: resultJson === null ? null : JSON.parse(resultJson), output }),
    error,
    effects,
    ...(toolCalls.length === 0 ? {} : { toolCalls }),
    ...(approval === null ? {} : { approval }),
    ...(truncated ? { truncated, droppedBytes } : {}),
    executionTime,
  };
}

/** The result as the program sent it, what it printed, and what went wrong. */
function textOf(record: ExecutionRecord, withResult: boolean): string {
  const { executionId, status, output, resultJson, error, effects, truncated, droppedBytes } = record;
  const parts: string[] = [];
  if (record.approval !== null) parts.push(approvalText(record));
  else if (error !== null) {
    const place = error.line === undefined ? '' : ` (line ${error.line})`;
    parts.push(`${status} ${error.code}${place}: ${error.message}`, `effects: ${effects}; execution ${executionId}`);
  } else if (status === 'running' || status === 'queued') parts.push(`Execution ${executionId} is ${status}; call resume to wait for it.`);
  if (output !== '')
    parts.push(withResult && resultJson !== null ? `output:\n${shortened(output, executionId)}` : shortened(output, executionId));
  if (truncated) parts.push(`(${droppedBytes} bytes of output were left out)`);
  if (withResult && resultJson !== null)
    parts.push(output === '' ? shortened(resultJson, executionId) : `result:\n${shortened(resultJson, executionId)}`);
  return parts.join('\n');
}

function approvalText({ executionId, approval }: ExecutionRecord): string {
  if (approval === null) return '';
  return [
    `Paused: the call of ${approval.tool} waits for a human's approval.`,
    `Show the user this address, where they decide: ${approval.url}`,
    `Then call resume with {"executionId":"${executionId}","approvalId":"${approval.id}"}. It expires at ${approval.expiresAt}.`,
  ].join('\n');
}

function shortened(text: string, executionId: string): string {
  if (text.length <= TEXT_LIMIT_CHARS) return text;
  const left = text.length - TEXT_LIMIT_CHARS;
  return `${text.slice(0, TEXT_LIMIT_CHARS)}\n… ${left} more characters: return less, or read execution://${executionId}`;
}

const isFailure = ({ status }: ExecutionRecord): boolean => status === 'failed' || status === 'timed_out' || status === 'cancelled';
