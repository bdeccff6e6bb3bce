/** Against `/mcp` as it is. */
export const ON_THE_ENDPOINT = [
  'server-initialize',
  'ping',
  'logging-set-level',
  'tools-list',
  'resources-list',
  'server-sse-multiple-streams',
  'dns-rebinding-protection',
];

/** Against a server of the suite's tools, passed through `/mcp?mode=passthrough&server=…`. */
export const THROUGH_THE_ENDPOINT = [
  'server-initialize',
  'tools-list',
  'tools-call-simple-text',
  'tools-call-image',
  'tools-call-audio',
  'tools-call-embedded-resource',
  'tools-call-mixed-content',
  'tools-call-error',
  'json-schema-2020-12',
];

const PROGRESS =
  "calls a tool by the suite's name whose upstream tells of its progress; what we tell is that of executions (mcp.test.ts). A passed call is one request and one answer between our services.";
const ASKS_CLIENT =
  'has the server ask the client for content of a form or of a model; we ask humans for decisions at an address alone (mcp.test.ts), and models for nothing.';
const PROMPTS = 'needs prompts; this server declares none.';
const RESOURCES = 'reads resources of fixed addresses that the suite names; ours are addressed by template (mcp.test.ts reads them).';

/** Every other scenario for servers, and why it does not apply. */
export const NOT_APPLICABLE: Readonly<Record<string, string>> = {
  'completion-complete': 'needs completions, which complete arguments of prompts; this server declares none.',
  'tools-call-with-logging': PROGRESS,
  'tools-call-with-progress': PROGRESS,
  'tools-call-sampling': ASKS_CLIENT,
  'tools-call-elicitation': ASKS_CLIENT,
  'elicitation-sep1034-defaults': ASKS_CLIENT,
  'elicitation-sep1330-enums': ASKS_CLIENT,
  'server-sse-polling':
    'needs a tool that closes its own stream on demand (test_reconnection); resuming a broken stream is tried in mcp.test.ts.',
  'resources-read-text': RESOURCES,
  'resources-read-binary': RESOURCES,
  'resources-templates-read': RESOURCES,
  'resources-subscribe': 'needs subscriptions; wrappers, executions and artifacts are read, not watched, and none are declared.',
  'resources-unsubscribe': 'needs subscriptions; wrappers, executions and artifacts are read, not watched, and none are declared.',
  'prompts-list': PROMPTS,
  'prompts-get-simple': PROMPTS,
  'prompts-get-with-args': PROMPTS,
  'prompts-get-embedded-resource': PROMPTS,
  'prompts-get-with-image': PROMPTS,
};
