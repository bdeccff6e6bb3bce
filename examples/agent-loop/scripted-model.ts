import type { Message } from './agent.ts';

export type Reply = { readonly tool: string; readonly arguments: Record<string, unknown> } | { readonly answer: string };

/** What a model would say next: it looks for tools, reads what it found, writes one program, and answers with its result. */
export function scriptedModel(messages: readonly Message[], toolNames: readonly string[]): Reply {
  const results = messages.filter(({ role }) => role === 'tool').map(({ text }) => text);
  const [found, described, ran] = results;
  if (found === undefined) return call('search_tools', { query: 'list issues, list notes' });
  if (described === undefined) {
    const { items } = JSON.parse(found) as { items: Record<string, Record<string, string>> };
    const named = Object.entries(items).flatMap(([server, tools]) => Object.keys(tools).map((tool) => `${server}.${tool}`));
    const tools = named.filter((tool) => /\.list_(issues|notes)$/.test(tool));
    return call('describe_tool', { tools });
  }
  if (ran === undefined) return call('execute', { language: 'typescript', code: programFor(described) });
  return { answer: `Promised and still open: ${(JSON.parse(ran) as string[]).join(', ')}` };

  function call(tool: string, args: Record<string, unknown>): Reply {
    if (!toolNames.includes(tool)) throw new Error(`The endpoint has no ${tool}; it has ${toolNames.join(', ')}.`);
    return { tool, arguments: args };
  }
}

/** `describe_tool` answers a line of JSON for each tool, with the place to import it from. */
function programFor(described: string): string {
  const places = described.split('\n').map((line) => (JSON.parse(line) as { import: string }).import);
  const imports = places.map((place) => `import { ${/(\w+)\.js$/.exec(place)?.[1]} } from '${place}';`);
  return `${imports.join('\n')}
const [{ notes }, issues] = await Promise.all([list_notes({}), list_issues({ state: 'open' })]);
return issues.filter(({ number }) => notes.some((note) => note.includes('#' + number + ' '))).map(({ title }) => title);`;
}
