// An agent's loop over MCP. A script plays the model here, so that it does the same every time; a real one is asked in its place.
import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import { scriptedModel } from './scripted-model.ts';

const url = process.env.EXECUTOR_URL ?? 'http://127.0.0.1:9091';
const MAXIMUM_TURNS = 10;

const client = new Client({ name: 'agent-loop', version: '1' });
await client.connect(
  new StreamableHTTPClientTransport(new URL(`${url}/mcp`), {
    requestInit: { headers: { authorization: `Bearer ${process.env.EXECUTOR_KEY}` } },
  }),
);
try {
  console.log(await answer('Which open issues were promised to a customer?'));
} finally {
  await client.close();
}

async function answer(question: string): Promise<string> {
  const { tools } = await client.listTools();
  const messages: Message[] = [
    { role: 'system', text: client.getInstructions() ?? '' },
    { role: 'user', text: question },
  ];
  for (let turn = 0; turn < MAXIMUM_TURNS; turn += 1) {
    const reply = scriptedModel(
      messages,
      tools.map(({ name }) => name),
    );
    if ('answer' in reply) return reply.answer;
    console.error(`→ ${reply.tool} ${JSON.stringify(reply.arguments)}`);
    const result = await client.callTool({ name: reply.tool, arguments: reply.arguments });
    const text = textOf(result.content);
    console.error(`← ${text}\n`);
    // A failed call is for the model to read and mend, like any other answer.
    messages.push({ role: 'tool', text });
  }
  throw new Error(`No answer after ${MAXIMUM_TURNS} turns.`);
}

export interface Message {
  readonly role: 'system' | 'user' | 'tool';
  readonly text: string;
}

function textOf(content: unknown): string {
  return (content as { text?: string }[]).map(({ text = '' }) => text).join('\n');
}
