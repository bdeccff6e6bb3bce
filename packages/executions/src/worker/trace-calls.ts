import { knownErrorCode } from '@code-executor/contracts';
import type { Tracing } from '@code-executor/platform';
import type { ToolPort } from '../port.ts';

/** The tool port of a worker with a span for each question to mcp-proxy. The tool's name is a program's word: only the proxy knows the tool. */
export function traceCalls<Port extends Pick<ToolPort, 'callTool'>>(tools: Port, tracing: Tracing): Port {
  return {
    ...tools,
    async callTool(grant, call, signal) {
      const attributes = { 'code_executor.execution.id': grant.executionId, 'code_executor.tool.call_number': call.callNumber };
      const span = tracing.start('tool call', { kind: 'client', parent: grant.traceparent, attributes });
      const outcome = await tools.callTool({ ...grant, traceparent: span.traceparent }, call, signal);
      const { reply, effects } = outcome;
      span.set({ 'code_executor.tool.effects': effects });
      span.end({ error: reply.ok ? null : knownErrorCode(reply.error.code) });
      return outcome;
    },
  };
}
