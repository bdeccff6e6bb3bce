/** One tool as the exported document describes it. */
export interface ToolOperation {
  readonly server: string;
  readonly tool: string;
  readonly description: string;
  readonly input: unknown;
  readonly output: unknown;
  readonly isInputRequired: boolean;
}

const DEEPEST = 100;

/** The tools of `GET /tools/export/openapi`, their schemas again as they stand by themselves. */
export function toolOperations(document: unknown): ToolOperation[] {
  const paths = at(document, 'paths');
  if (typeof paths !== 'object' || paths === null) throw new Error('This is no export of a code executor: it has no "paths".');
  return Object.entries(paths).flatMap(([path, item]) => {
    const post = at(item, 'post');
    const server = at(post, 'x-server');
    const tool = at(post, 'x-tool');
    if (typeof server !== 'string' || typeof tool !== 'string') return [];
    const pointer = `#/paths/${path.replaceAll('~', '~0').replaceAll('/', '~1').replaceAll('%', '%25')}/post`;
    const body = '/content/application~1json/schema/properties';
    const schema = at(post, 'requestBody', 'content', 'application/json', 'schema', 'properties', 'args');
    const output = at(post, 'responses', '200', 'content', 'application/json', 'schema');
    const hasOutput = (at(output, 'required') as unknown[] | undefined)?.includes('result') === true;
    return [
      {
        server,
        tool,
        description: String(at(post, 'description') ?? ''),
        input: apart(schema, `${pointer}/requestBody${body}/args`, 0),
        output: hasOutput ? apart(at(output, 'properties', 'result'), `${pointer}/responses/200${body}/result`, 0) : null,
        isInputRequired: at(post, 'requestBody', 'required') === true,
      },
    ];
  });
}

/** What the export led into the document leads into the schema itself again. */
function apart(node: unknown, pointer: string, depth: number): unknown {
  if (depth > DEEPEST || typeof node !== 'object' || node === null) return node;
  if (Array.isArray(node)) return node.map((item) => apart(item, pointer, depth + 1));
  return Object.fromEntries(
    Object.entries(node).map(([name, value]): [string, unknown] =>
      name === '$ref' && typeof value === 'string' && value.startsWith(pointer)
        ? [name, `#${value.slice(pointer.length)}`]
        : [name, apart(value, pointer, depth + 1)],
    ),
  );
}

function at(node: unknown, ...names: readonly string[]): unknown {
  let found = node;
  for (const name of names) {
    if (typeof found !== 'object' || found === null || !Object.hasOwn(found, name)) return undefined;
    found = (found as Record<string, unknown>)[name];
  }
  return found;
}
