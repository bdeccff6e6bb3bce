const text = { type: 'string' };
const maybeText = { type: ['string', 'null'] };
const flag = { type: 'boolean' };
const count = { type: 'integer', minimum: 0 };

const object = (properties: Readonly<Record<string, unknown>>, optional: readonly string[] = []): object => ({
  type: 'object',
  properties,
  required: Object.keys(properties).filter((name) => !optional.includes(name)),
  additionalProperties: false,
});

const listOf = (item: object, more: Readonly<Record<string, unknown>> = {}): object =>
  object({ items: { type: 'array', items: item }, total: count, ...more });

const server = object({ name: text, url: maybeText, current: flag, hasKey: flag });
const identity = { url: text, server: maybeText, keySource: maybeText, id: text, role: text, name: maybeText };

/** What `--json` prints where it is no answer of the HTTP API; those are described by its `/openapi.json`. */
export const JSON_SCHEMAS: Readonly<Record<string, object>> = {
  done: object({ done: { const: true }, target: text }),
  sources: listOf(object({ server: text, state: text, tools: count }), { totalTools: count }),
  browsed: object({ servers: { type: 'array', items: object({ server: text, tools: count, state: text }) }, totalTools: count }),
  added: object({ integration: { type: 'object' }, connection: { type: ['object', 'null'] } }),
  generated: object({ file: maybeText, tools: count, source: text }, ['source']),
  written: object({ file: text, bytes: count }),
  whoami: object({ ...identity, scopes: { type: ['array', 'null'], items: text } }),
  server,
  servers: listOf(server),
  connected: {
    anyOf: [
      listOf(object({ client: text, title: text, file: text, present: flag })),
      object({ client: text, file: text, name: text, connected: flag, changed: flag, backup: maybeText }),
    ],
  },
  unit: object({ unit: text, file: text, installed: flag, enabled: flag, active: flag, problem: maybeText }),
  /** On the error stream. */
  error: object({ error: object({ code: text, message: text, hint: maybeText, details: {}, requestId: maybeText }) }),
};
