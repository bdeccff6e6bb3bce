import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';

interface ToolAnswer {
  readonly content: readonly {
    readonly type: string;
    readonly text?: string;
    readonly data?: string;
    readonly mimeType?: string;
    readonly uri?: string;
  }[];
  readonly structuredContent?: Readonly<Record<string, unknown>>;
  readonly isError?: boolean;
}

export interface McpConnection {
  readonly client: Client;
  readonly transport: StreamableHTTPClientTransport;
  call(name: string, args: Record<string, unknown>, options?: Parameters<Client['callTool']>[2]): Promise<ToolAnswer>;
  close(): Promise<void>;
}

/** The official client of the 2025 versions, connected to `/mcp` with an API key. */
export async function connectClient(
  service: { readonly url: string; readonly key: string },
  {
    query = '',
    capabilities = {},
    before,
  }: { readonly query?: string; readonly capabilities?: Record<string, object>; readonly before?: (client: Client) => void } = {},
): Promise<McpConnection> {
  const transport = new StreamableHTTPClientTransport(new URL(`${service.url}/mcp${query}`), {
    requestInit: { headers: { authorization: `Bearer ${service.key}` } },
  });
  const client = new Client({ name: 'test', version: '1' }, { capabilities });
  before?.(client);
  // The library's own types do not agree with each other under exactOptionalPropertyTypes.
  await client.connect(transport as Parameters<Client['connect']>[0]);
  return {
    client,
    transport,
    call: async (name, args, options) => (await client.callTool({ name, arguments: args }, undefined, options)) as unknown as ToolAnswer,
    close: () => client.close(),
  };
}

export const textOf = ({ content }: ToolAnswer): string => content.map(({ text = '' }) => text).join('\n');
