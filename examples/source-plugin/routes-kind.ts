import { AppError, type ParsedSource, type SourceDocument, type SourceKind } from '@code-executor/standalone/source-kind';

/**
 * A kind of source that the product does not know: an API written down as one line a route.
 *
 *     #routes Notes 1.0 http://127.0.0.1:9701
 *     get count_notes /notes/count Counts the notes
 *     post add_note /notes Writes a note down
 */
interface Route {
  readonly method: 'GET' | 'POST';
  readonly path: string;
}

const FIRST_LINE = /^#routes ([\w ]+?) (\d+(?:\.\d+)*)(?: (https?:\/\/\S+))?$/;
const ROUTE = /^(get|post) ([a-z]\w{0,63}) (\/[\w/.-]*)(?: (.*))?$/;

export const sourceKind: SourceKind<Route> = {
  kind: 'routes',
  detect: ({ text }) => (FIRST_LINE.test(firstLine(text)) ? 'a list of routes' : null),
  parse: async (document, { onProgress }) => {
    const parsed = parse(document);
    onProgress(1);
    return parsed;
  },
  async invoke({ method, path }, args, { baseUrl, credential, http, idempotencyKey, timeoutMs, traceparent, signal }) {
    const url = new URL(baseUrl.replace(/\/$/, '') + path);
    const inQuery = method === 'GET' ? Object.entries(args) : [];
    for (const [name, value] of [...inQuery, ...Object.entries(credential?.query ?? {})]) url.searchParams.append(name, String(value));
    const headers = {
      ...credential?.headers,
      ...(traceparent === undefined ? {} : { traceparent }),
      ...(method === 'POST' ? { 'content-type': 'application/json', 'idempotency-key': idempotencyKey } : {}),
    };
    const body = method === 'POST' ? { body: JSON.stringify(args) } : {};
    const { status, ...answer } = await http.request({ method, url: url.href, headers, ...body, timeoutMs, signal });
    const value = jsonOrText(new TextDecoder().decode(answer.body));
    const ok = status >= 200 && status < 300;
    return { ok, value, meta: { status }, ...(ok ? {} : { message: `HTTP ${status}: ${JSON.stringify(value)}`.slice(0, 500) }) };
  },
  async probe({ baseUrl, credential, http, timeoutMs, signal }) {
    const { status } = await http.request({ method: 'HEAD', url: baseUrl, headers: { ...credential?.headers }, timeoutMs, signal });
    return status >= 500 ? `it answers HTTP ${status}` : null;
  },
};

function parse({ text }: SourceDocument): ParsedSource<Route> {
  const [first, ...lines] = text.split('\n');
  const [, title, version, baseUrl = null] = FIRST_LINE.exec(first?.trimEnd() ?? '') ?? [];
  if (title === undefined || version === undefined) throw wrong(1, 'it begins with "#routes TITLE VERSION [ADDRESS]"');
  const tools = lines.flatMap((line, index) => {
    if (line.trim() === '') return [];
    const [, method, name, path, description] = ROUTE.exec(line.trimEnd()) ?? [];
    if (name === undefined || path === undefined) throw wrong(index + 2, 'a route is "get|post NAME /PATH DESCRIPTION"');
    const isRead = method === 'get';
    return {
      name,
      description: description ?? name,
      inputSchema: { type: 'object' },
      annotations: { readOnlyHint: isRead },
      binding: { method: isRead ? ('GET' as const) : ('POST' as const), path },
    };
  });
  if (new Set(tools.map(({ name }) => name)).size < tools.length) throw wrong(2, 'two routes have one name');
  return { title, version, baseUrl, securitySchemes: [], tools, operations: tools.length, warnings: [] };
}

const firstLine = (text: string): string => (text.split('\n', 1)[0] ?? '').trimEnd();

const wrong = (line: number, why: string): AppError => new AppError('INTEGRATION_INVALID', `line ${line}: ${why}`);

function jsonOrText(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    if (error instanceof SyntaxError) return text;
    throw error;
  }
}
