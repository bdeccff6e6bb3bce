import { createInterface } from 'node:readline';
import type { Handler } from '../command/command.ts';
import type { Context } from '../command/context.ts';
import { oneOf } from '../command/option-values.ts';
import { createMcpLink, type McpLink } from './mcp-link.ts';

interface Message {
  readonly id?: string | number;
  readonly method?: string;
  readonly params?: Record<string, unknown>;
}

const INTERNAL_ERROR = -32_603;
const PARSE_ERROR = -32_700;

/** Lines of JSON-RPC on standard input go to /mcp, what it answers comes out as lines: nothing is kept but the session. */
export const bridgeMcp: Handler = async (context, { options }) => {
  const mode = oneOf(options.mode, '--mode', ['passthrough']);
  const { url, key } = await context.server();
  const link = createMcpLink(`${url}/mcp${mode === undefined ? '' : `?mode=${mode}`}`, key, context.signal);
  const lines = createInterface({ input: process.stdin });
  const underWay = new Set<Promise<void>>();
  const stop = (): void => lines.close();
  context.signal.addEventListener('abort', stop, { once: true });
  try {
    for await (const line of lines) {
      if (line.trim() === '') continue;
      const message = parse(line, context);
      if (message === null) continue;
      const sent = forward(message, link, context).finally(() => underWay.delete(sent));
      underWay.add(sent);
      // The session, which everything else belongs to, comes with its answer.
      if (message.method === 'initialize') await sent;
    }
    // The client closed its side; what it asked before that is still answered.
    await Promise.all(underWay);
  } finally {
    context.signal.removeEventListener('abort', stop);
    await link.end();
  }
  return 0;
};

function parse(line: string, { terminal }: Context): Message | null {
  try {
    return JSON.parse(line) as Message;
  } catch {
    terminal.out(`${JSON.stringify({ jsonrpc: '2.0', id: null, error: { code: PARSE_ERROR, message: 'This line is no JSON.' } })}\n`);
    return null;
  }
}

/** A request gets an answer in any case: a client would wait for ever. */
async function forward(message: Message, link: McpLink, context: Context): Promise<void> {
  const { terminal, signal } = context;
  let isAnswered = message.method === undefined || message.id === undefined;
  try {
    for await (const answer of link.send(message)) {
      if (!('method' in answer) && (answer as Message).id === message.id) isAnswered = true;
      terminal.out(`${JSON.stringify(answer)}\n`);
    }
    if (!isAnswered) throw new Error('the service gave no answer');
  } catch (error) {
    if (signal.aborted) return;
    const text = `${error instanceof Error ? error.message : String(error)}`;
    terminal.err(`executor mcp: ${text}\n`);
    if (!isAnswered)
      terminal.out(`${JSON.stringify({ jsonrpc: '2.0', id: message.id, error: { code: INTERNAL_ERROR, message: text } })}\n`);
  }
}
