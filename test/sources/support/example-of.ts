type Schema = Record<string, unknown>;

/**
 * A value that fits a JSON Schema, as an agent would make one up from reading it: what is required, and of the rest what is plain.
 * undefined: it cannot be made up, since a pattern stands there.
 */
export function exampleOf(schema: unknown, root: Schema, depth = 0): unknown {
  if (schema === true || schema === undefined) return 'x';
  if (typeof schema !== 'object' || schema === null || depth > 12) return undefined;
  const node = schema as Schema;
  if (typeof node.$ref === 'string') return exampleOf(definition(node.$ref, root), root, depth + 1);
  if ('const' in node) return node.const;
  if (Array.isArray(node.enum)) return node.enum.find((value) => value !== null && value !== '') ?? node.enum[0];
  const choices = [node.anyOf, node.oneOf].find(Array.isArray) as unknown[] | undefined;
  if (choices !== undefined) {
    const others = exampleOf({ ...node, anyOf: undefined, oneOf: undefined }, root, depth + 1);
    for (const choice of choices) {
      const value = exampleOf(choice, root, depth + 1);
      if (value !== undefined && value !== null) return merged(others, value);
    }
    return undefined;
  }
  if (Array.isArray(node.allOf)) {
    const parts = [{ ...node, allOf: undefined }, ...node.allOf].map((part) => exampleOf(part, root, depth + 1));
    return parts.reduce(merged);
  }
  const types = [node.type].flat().filter((type) => type !== 'null');
  switch (types[0] ?? (isSchema(node.properties) ? 'object' : undefined)) {
    case 'object':
      return objectOf(node, root, depth);
    case 'array': {
      const count = Math.max(1, Number(node.minItems ?? 0));
      const items = Array.from({ length: count }, () => exampleOf(node.items ?? true, root, depth + 1));
      return items.includes(undefined) ? (Number(node.minItems ?? 0) === 0 ? [] : undefined) : items;
    }
    case 'integer':
    case 'number':
      return numberOf(node);
    case 'boolean':
      return true;
    case 'string':
      return stringOf(node);
    default:
      return Object.keys(node).some((name) => ['pattern', 'not', 'if'].includes(name)) ? undefined : 'x';
  }
}

function objectOf(node: Schema, root: Schema, depth: number): unknown {
  const properties = isSchema(node.properties) ? node.properties : {};
  const required = new Set(Array.isArray(node.required) ? node.required.map(String) : []);
  const made: Schema = {};
  for (const [name, schema] of Object.entries(properties)) {
    const isPlain = isSchema(schema) && ['string', 'integer', 'number', 'boolean', 'array'].includes(String(schema.type));
    if (!required.has(name) && !(isPlain && depth < 3)) continue;
    const value = OF_FILES[name] ?? exampleOf(schema, root, depth + 1);
    if (value !== undefined) made[name] = value;
    else if (required.has(name)) return undefined;
  }
  for (const name of required) if (!(name in made) && !(name in properties)) made[name] = 'x';
  return made;
}

/** What a file is given as, which prose says and no schema does. */
const OF_FILES: Readonly<Record<string, string>> = { base64: 'YQ==', contentType: 'text/plain' };

function numberOf(node: Schema): number {
  const least = Number(node.minimum ?? (node.exclusiveMinimum === undefined ? Number.NaN : Number(node.exclusiveMinimum) + 1));
  const most = Number(node.maximum ?? node.exclusiveMaximum ?? Number.NaN);
  const value = Number.isNaN(least) ? Math.min(1, Number.isNaN(most) ? 1 : most) : least;
  const step = Number(node.multipleOf ?? Number.NaN);
  return Number.isNaN(step) ? value : Math.ceil(value / step) * step;
}

const FORMATS: Readonly<Record<string, string>> = {
  date: '2026-01-02',
  'date-time': '2026-01-02T03:04:05Z',
  time: '03:04:05Z',
  email: 'ada@example.com',
  uri: 'https://example.com/a',
  url: 'https://example.com/a',
  uuid: '0b5ae4d5-6a4b-4d0c-9d50-2b6b7e1b8a11',
  ipv4: '192.0.2.1',
  hostname: 'example.com',
  byte: 'YQ==',
};

function stringOf(node: Schema): string | undefined {
  const text = FORMATS[String(node.format)] ?? 'a text & more';
  const fitted = text.padEnd(Number(node.minLength ?? 0), 'x').slice(0, Number(node.maxLength ?? 1_000));
  return typeof node.pattern !== 'string' || new RegExp(node.pattern, 'u').test(fitted) ? fitted : undefined;
}

const merged = (left: unknown, right: unknown): unknown =>
  isSchema(left) && isSchema(right)
    ? { ...left, ...right }
    : right === undefined
      ? undefined
      : isSchema(right)
        ? right
        : left === 'x'
          ? right
          : (right ?? left);

const isSchema = (value: unknown): value is Schema => typeof value === 'object' && value !== null && !Array.isArray(value);

const definition = (reference: string, root: Schema): unknown =>
  reference
    .replace(/^#\//, '')
    .split('/')
    .filter((part) => part !== '')
    .reduce<unknown>((value, part) => (isSchema(value) ? value[part.replaceAll('~1', '/').replaceAll('~0', '~')] : undefined), root);
