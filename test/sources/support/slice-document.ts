/** What is asked of an upstream in this way or that. */
export const WAYS = ['path', 'query', 'header', 'cookie', 'body', 'form', 'multipart', 'auth'] as const;
export type Way = (typeof WAYS)[number];

type Json = Record<string, unknown>;

const METHODS = ['get', 'put', 'post', 'delete', 'options', 'head', 'patch'];
const isObject = (value: unknown): value is Json => typeof value === 'object' && value !== null && !Array.isArray(value);
const list = (value: unknown): unknown[] => (Array.isArray(value) ? value : []);

/**
 * The same document with a sample of its operations: `each` of every way in which something is asked, unchanged, and whatever they refer
 * to. A mock server reads it in a moment where the whole takes it half a minute.
 */
export function sliceDocument(
  document: Json,
  each: number,
): { readonly document: Json; readonly ways: ReadonlyMap<string, readonly Way[]> } {
  const wanted = new Map<Way, number>(WAYS.map((way) => [way, each]));
  const ways = new Map<string, readonly Way[]>();
  const paths: Json = {};
  for (const [path, item] of Object.entries((document.paths ?? {}) as Json)) {
    if (!isObject(item)) continue;
    for (const method of METHODS) {
      const operation = item[method];
      if (!isObject(operation)) continue;
      const found = waysOf(operation, item, document);
      if (!found.some((way) => (wanted.get(way) ?? 0) > 0)) continue;
      for (const way of found) wanted.set(way, (wanted.get(way) ?? 0) - 1);
      const { parameters, servers, ...others } = item;
      const kept = isObject(paths[path])
        ? (paths[path] as Json)
        : { ...(parameters ? { parameters } : {}), ...(servers ? { servers } : {}) };
      for (const name of Object.keys(others)) if (!METHODS.includes(name)) kept[name] = others[name];
      paths[path] = { ...kept, [method]: operation };
      ways.set(`${method} ${path}`, found);
    }
  }
  // Extensions refer to what nothing is left of.
  const plain = Object.fromEntries(Object.entries(document).filter(([name]) => !name.startsWith('x-')));
  return { document: withReferenced({ ...plain, paths }), ways };
}

/** What a mock server needs to judge requests alone: answers that hold half a document keep it from coming up. */
export function withoutAnswers(document: Json): Json {
  const paths = structuredClone(document.paths) as Record<string, Json>;
  for (const item of Object.values(paths))
    for (const method of METHODS) {
      const operation = item[method];
      if (isObject(operation)) operation.responses = { 200: { description: 'ok' } };
    }
  return withReferenced({ ...document, paths });
}

/** Whether the document knows any answer to this operation (`get /pets`) but errors. */
export function hasGoodAnswer(document: Json, key: string): boolean {
  const [method = '', path = ''] = key.split(' ');
  const item = (document.paths as Record<string, Json>)[path] ?? {};
  const operation = isObject(item[method]) ? item[method] : {};
  return Object.keys((operation.responses ?? {}) as Json).some((status) => /^(?:2|default)/.test(status));
}

function waysOf(operation: Json, item: Json, document: Json): Way[] {
  const found = new Set<Way>();
  for (const reference of [...list(item.parameters), ...list(operation.parameters)]) {
    const parameter = resolved(reference, document);
    const place = String(parameter.in);
    if (place === 'formData')
      found.add(list(operation.consumes ?? document.consumes).includes('multipart/form-data') ? 'multipart' : 'form');
    else if (WAYS.includes(place as Way)) found.add(place as Way);
  }
  const types = Object.keys((resolved(operation.requestBody, document).content ?? {}) as Json);
  if (types.some((type) => type.includes('json'))) found.add('body');
  else if (types.includes('multipart/form-data')) found.add('multipart');
  else if (types.includes('application/x-www-form-urlencoded')) found.add('form');
  else if (types.length > 0) found.add('body');
  if (list(operation.security ?? document.security).some((each) => isObject(each) && Object.keys(each).length > 0)) found.add('auth');
  return [...found];
}

function resolved(value: unknown, document: Json): Json {
  if (!isObject(value)) return {};
  return typeof value.$ref === 'string' ? resolved(at(value.$ref, document), document) : value;
}

const at = (reference: string, document: Json): unknown =>
  reference
    .replace(/^#\//, '')
    .split('/')
    .map((part) => decodeURIComponent(part).replaceAll('~1', '/').replaceAll('~0', '~'))
    .reduce<unknown>((value, part) => (isObject(value) || Array.isArray(value) ? (value as Json)[part] : undefined), document);

/** Components that nothing refers to any more are left out. */
function withReferenced(document: Json): Json {
  const SHELVES = ['schemas', 'parameters', 'responses', 'requestBodies', 'headers', 'examples', 'links', 'callbacks'];
  const components = isObject(document.components) ? document.components : null;
  const shelves: [Json, string, string][] =
    components === null
      ? ['definitions', 'parameters', 'responses'].map((name) => [document, name, `#/${name}/`])
      : SHELVES.map((name) => [components, name, `#/components/${name}/`]);
  const needed = new Set<string>();
  const visit = (value: unknown): void => {
    if (Array.isArray(value)) for (const child of value) visit(child);
    else if (isObject(value))
      for (const [name, child] of Object.entries(value)) {
        if (typeof child === 'string' && child.startsWith('#/') && !needed.has(child)) {
          needed.add(child);
          visit(at(child, document));
        } else if (name !== '$ref') visit(child);
      }
  };
  visit(document.paths);
  const isNeeded = (prefix: string, name: string): boolean => {
    const whole = `${prefix}${name.replaceAll('~', '~0').replaceAll('/', '~1')}`;
    return [...needed].some(
      (reference) => decodeURIComponent(reference) === whole || decodeURIComponent(reference).startsWith(`${whole}/`),
    );
  };
  const kept = Object.fromEntries(
    shelves
      .filter(([owner, name]) => isObject(owner[name]))
      .map(([owner, name, prefix]) => [
        name,
        Object.fromEntries(Object.entries(owner[name] as Json).filter(([each]) => isNeeded(prefix, each))),
      ]),
  );
  return components === null ? { ...document, ...kept } : { ...document, components: { ...components, ...kept } };
}
