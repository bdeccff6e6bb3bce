import type { NewSkill } from '@code-executor/contracts';

export const MAP_TOOL: NewSkill = {
  name: 'map_tool',
  language: 'typescript',
  description:
    'Calls one tool for each of a list of arguments, a few at a time, and returns the outcomes in the order of the list: {ok, value} or {ok, code, message}. One that fails does not stop the others.',
  parameters: {
    type: 'object',
    properties: {
      tool: { type: 'string', description: 'server.tool' },
      each: { type: 'array', items: { type: 'object' }, maxItems: 10_000, description: 'the arguments of each call' },
      concurrency: { type: 'integer', minimum: 1, maximum: 32, description: '4 by default' },
      stopOnError: { type: 'boolean', description: 'make no further calls after one that fails' },
    },
    required: ['tool', 'each'],
    additionalProperties: false,
  },
  code: `const { tool, each, concurrency = 4, stopOnError = false } = args;
const dot = tool.indexOf('.');
const call = (given) => tools[tool.slice(0, dot)][tool.slice(dot + 1)](given);
const outcomes = new Array(each.length).fill(null);
let next = 0;
let stopped = false;

async function work() {
  while (next < each.length && !stopped) {
    const index = next;
    next += 1;
    try {
      outcomes[index] = { ok: true, value: await call(each[index]) };
    } catch (error) {
      outcomes[index] = { ok: false, code: error.code ?? 'UNCAUGHT', message: error.message };
      if (stopOnError) stopped = true;
    }
  }
}

await Promise.all(Array.from({ length: Math.min(concurrency, each.length) }, work));
return outcomes;
`,
};
