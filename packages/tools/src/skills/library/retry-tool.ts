import type { NewSkill } from '@code-executor/contracts';

export const RETRY_TOOL: NewSkill = {
  name: 'retry_tool',
  language: 'python',
  description:
    'Calls a tool again while its upstream is unavailable, times out or limits the rate, waiting longer each time; any other failure is raised at once. Only for tools that may be called twice.',
  parameters: {
    type: 'object',
    properties: {
      tool: { type: 'string', description: 'server.tool' },
      args: { type: 'object', description: 'arguments of the call' },
      attempts: { type: 'integer', minimum: 1, maximum: 10, description: '4 by default' },
      wait_seconds: { type: 'number', minimum: 0, maximum: 60, description: 'before the second attempt; 0.5 by default' },
    },
    required: ['tool'],
    additionalProperties: false,
  },
  code: `import time

from servers import meta_of

server, _, name = args["tool"].partition(".")
attempts = args.get("attempts", 4)
wait = args.get("wait_seconds", 0.5)
for attempt in range(1, attempts + 1):
    try:
        return tools[server][name](args.get("args") or {})
    except ToolError as error:
        meta = meta_of(error) or {}
        limited = meta.get("status") in (429, 503)
        passing = error.code in ("UPSTREAM_UNAVAILABLE", "UPSTREAM_LOST", "TOOL_TIMEOUT")
        if attempt == attempts or not (limited or passing):
            raise
        time.sleep(min(60, max(wait, meta.get("retryAfterSeconds") or 0)))
        wait *= 2
`,
};
