import type { NewSkill } from '@code-executor/contracts';

/** By the `Link` header where the tool tells of one, else by a cursor in the answer, else by counting pages. */
export const EACH_PAGE: NewSkill = {
  name: 'each_page',
  language: 'typescript',
  description:
    'Calls a paginated tool page by page and returns the items of all pages in one list. Follows the Link header (rel=next), a cursor in the answer (cursorFrom, cursorTo), or counts pages (pageTo).',
  parameters: {
    type: 'object',
    properties: {
      tool: { type: 'string', description: 'server.tool' },
      args: { type: 'object', description: 'arguments of every call' },
      itemsFrom: {
        type: 'string',
        description: 'where the items are in an answer: a path such as data.items; left out: the answer is the list',
      },
      cursorFrom: { type: 'string', description: 'where the next cursor is in an answer, such as nextCursor' },
      cursorTo: { type: 'string', description: 'the argument that takes the cursor; cursor by default' },
      pageTo: { type: 'string', description: 'the argument that takes the number of the page, counted from 1' },
      maxPages: { type: 'integer', minimum: 1, maximum: 1000, description: '20 by default' },
    },
    required: ['tool'],
    additionalProperties: false,
  },
  code: `import { metaOf } from '/workspace/servers/discovery.js';

const { tool, itemsFrom, cursorFrom, cursorTo = 'cursor', pageTo, maxPages = 20 } = args;
const dot = tool.indexOf('.');
const call = (given) => tools[tool.slice(0, dot)][tool.slice(dot + 1)](given);
const at = (value, path) => path.split('.').reduce((inner, key) => inner?.[key], value);

const items = [];
let given = { ...args.args };
if (pageTo !== undefined) given[pageTo] ??= 1;
for (let page = 1; page <= maxPages; page += 1) {
  const answer = await call(given);
  const found = itemsFrom === undefined ? answer : at(answer, itemsFrom);
  if (!Array.isArray(found)) throw new Error(\`\${tool} answered no list\${itemsFrom === undefined ? '; say itemsFrom' : \` at \${itemsFrom}\`}\`);
  items.push(...found);
  const next = metaOf(answer)?.links?.next;
  if (cursorFrom !== undefined) {
    const cursor = at(answer, cursorFrom);
    if (cursor === undefined || cursor === null || cursor === '') break;
    given = { ...given, [cursorTo]: cursor };
  } else if (next !== undefined) {
    const query = Object.fromEntries(new URL(next, 'http://next.invalid').searchParams);
    const typed = Object.entries(query).map(([key, text]) => [key, typeof given[key] === 'number' || /^(page|per_page|limit|offset)$/.test(key) ? Number(text) : text]);
    given = { ...given, ...Object.fromEntries(typed) };
  } else if (pageTo !== undefined && found.length > 0) {
    given = { ...given, [pageTo]: given[pageTo] + 1 };
  } else break;
}
return items;
`,
};
