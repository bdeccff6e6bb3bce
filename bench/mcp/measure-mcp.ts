import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import type { Service } from '../../test/support/start-service.ts';
import { bodyOf, SIMPLE_TYPESCRIPT } from '../scenarios.ts';
import { summarise } from '../statistics.ts';

const ROUNDS = 200;
/** The pool keeps up, so that both figures are those of warm sandboxes. */
const PAUSE_MS = 15;
const SESSIONS = 200;

type Asked = Pick<Service, 'url' | 'key' | 'post'>;

/** The same program through `POST /execute` and through the official client's `execute`, in turn. */
export async function measureMcp(service: Asked) {
  const client = await connect(service);
  const plain: number[] = [];
  const mcp: number[] = [];
  try {
    for (let round = 0; round < ROUNDS; round += 1) {
      const body = bodyOf(SIMPLE_TYPESCRIPT);
      const call = { name: 'execute', arguments: bodyOf(SIMPLE_TYPESCRIPT) };
      plain.push(await timed(async () => (await service.post('/execute', body)).body));
      mcp.push(await timed(async () => (await client.callTool(call)).structuredContent));
    }
  } finally {
    await client.close();
  }
  const [execute, endpoint] = [summarise(plain), summarise(mcp)];
  return { execute, endpoint, addedMs: endpoint.p50 - execute.p50 };
}

/** So many sessions at once, each with a program of its own: how many got their own answer. */
export async function measureSessions(service: Asked) {
  const clients = await Promise.all(Array.from({ length: SESSIONS }, () => connect(service)));
  const since = performance.now();
  try {
    const answers = await Promise.all(
      clients.map(async (client, index) => {
        const { structuredContent } = await client.callTool({
          name: 'execute',
          arguments: { language: 'typescript', code: `return ${index}` },
        });
        return (structuredContent as { result?: unknown } | undefined)?.result === index;
      }),
    );
    return { sessions: SESSIONS, correct: answers.filter(Boolean).length, seconds: (performance.now() - since) / 1_000 };
  } finally {
    await Promise.all(clients.map((client) => client.close()));
  }
}

async function connect({ url, key }: Asked): Promise<Client> {
  const transport = new StreamableHTTPClientTransport(new URL(`${url}/mcp`), {
    requestInit: { headers: { authorization: `Bearer ${key}` } },
  });
  const client = new Client({ name: 'bench', version: '1' });
  await client.connect(transport as Parameters<Client['connect']>[0]);
  return client;
}

async function timed(act: () => Promise<unknown>): Promise<number> {
  const since = performance.now();
  const answer = (await act()) as { readonly result?: unknown };
  const took = performance.now() - since;
  if (answer.result !== SIMPLE_TYPESCRIPT.expected) throw new Error(`a wrong answer: ${JSON.stringify(answer).slice(0, 300)}`);
  await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
  return took;
}
