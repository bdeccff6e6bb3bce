import { McpServer } from '@modelcontextprotocol/sdk/server/mcp.js';
import { StdioServerTransport } from '@modelcontextprotocol/sdk/server/stdio.js';
import { ListToolsRequestSchema } from '@modelcontextprotocol/sdk/types.js';

/** The tools that the conformance suite calls by name, as it describes them; an upstream, for us to pass through. */
const PIXEL = 'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8DwHwAFBQIAX8jx0gAAAABJRU5ErkJggg==';
const SOUND = 'UklGRiQAAABXQVZFZm10IBAAAAABAAEAQB8AAEAfAAABAAgAZGF0YQAAAAA=';

const server = new McpServer({ name: 'conformance-upstream', version: '1.0.0' });
const readOnly = { annotations: { readOnlyHint: true } };
server.registerTool('test_simple_text', { description: 'Text', ...readOnly }, async () => ({
  content: [{ type: 'text', text: 'This is a simple text response for testing.' }],
}));
server.registerTool('test_image_content', { description: 'Image', ...readOnly }, async () => ({
  content: [{ type: 'image', data: PIXEL, mimeType: 'image/png' }],
}));
server.registerTool('test_audio_content', { description: 'Audio', ...readOnly }, async () => ({
  content: [{ type: 'audio', data: SOUND, mimeType: 'audio/wav' }],
}));
server.registerTool('test_embedded_resource', { description: 'Resource', ...readOnly }, async () => ({
  content: [
    {
      type: 'resource',
      resource: { uri: 'test://embedded-resource', mimeType: 'text/plain', text: 'This is an embedded resource content.' },
    },
  ],
}));
server.registerTool('test_multiple_content_types', { description: 'Mixed', ...readOnly }, async () => ({
  content: [
    { type: 'text', text: 'Multiple content types test:' },
    { type: 'image', data: PIXEL, mimeType: 'image/png' },
    { type: 'resource', resource: { uri: 'test://mixed', mimeType: 'application/json', text: '{"test":"data","value":123}' } },
  ],
}));
server.registerTool('test_error_handling', { description: 'Fails', ...readOnly }, async () => ({
  content: [{ type: 'text', text: 'This tool intentionally returns an error for testing' }],
  isError: true,
}));

const SCHEMA_TOOL = {
  name: 'json_schema_2020_12_tool',
  description: 'Tool with JSON Schema 2020-12 features',
  annotations: { readOnlyHint: true },
  inputSchema: {
    $schema: 'https://json-schema.org/draft/2020-12/schema',
    type: 'object' as const,
    $defs: { address: { type: 'object', properties: { street: { type: 'string' }, city: { type: 'string' } } } },
    properties: { name: { type: 'string' }, address: { $ref: '#/$defs/address' } },
    additionalProperties: false,
  },
};
const NO_ARGUMENTS = { type: 'object' as const, properties: {} };
const PLAIN = [
  'test_simple_text',
  'test_image_content',
  'test_audio_content',
  'test_embedded_resource',
  'test_multiple_content_types',
  'test_error_handling',
];
server.server.setRequestHandler(ListToolsRequestSchema, () => ({
  tools: [...PLAIN.map((name) => ({ name, description: name, inputSchema: NO_ARGUMENTS, ...readOnly })), SCHEMA_TOOL],
}));
await server.connect(new StdioServerTransport());
