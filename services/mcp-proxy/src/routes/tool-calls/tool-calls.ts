import { idPattern } from '@code-executor/contracts';
import { traceparentWithin } from '@code-executor/platform';
import { z } from 'zod';
import { grantOf } from '../../plugins/authenticate.ts';
import { readBody } from '../../plugins/json-body.ts';
import type { ProxyApp, RouteDeps } from '../../proxy-app.ts';

/** Arguments of 1 MB, of which the tool domain judges the canonical form, with room for how they may be written. */
const CALL_LIMIT_BYTES = 4 * 1024 * 1024;

const callBody = z.strictObject({
  callNumber: z.int().min(1).max(1_000_000),
  tool: z.string().max(4_096),
  args: z.unknown(),
  approvalId: z.string().regex(idPattern('apr')).optional(),
});

/** One tool call of a running execution. Its failure is an answer like any other; who hangs up aborts it. */
export function registerToolCallRoutes(app: ProxyApp, { tools, metrics, closing }: RouteDeps): void {
  app.post('/internal/tool-calls', { config: { caller: 'grant' }, bodyLimit: CALL_LIMIT_BYTES }, async (request, reply) => {
    const { grant, bearer } = grantOf(request);
    const { callNumber, tool, args, approvalId } = readBody(callBody, request.body);
    const traceparent = traceparentWithin(grant.traceparent, request.headers.traceparent);
    const outcome = await tools.callTool(
      { ...grant, bearer, traceparent },
      { callNumber, tool, args, approvalId },
      closing.answerSignal(reply),
    );
    if (!outcome.reply.ok && outcome.reply.error.code === 'STALE_CLAIM') metrics.staleRefused('tool_call');
    return reply.type('application/json; charset=utf-8').send(JSON.stringify(outcome));
  });
}
