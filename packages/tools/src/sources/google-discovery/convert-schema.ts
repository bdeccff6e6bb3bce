import { isRecord, textOf } from '../openapi/document/is-record.ts';

const DEEPEST = 60;
const LONGEST_CHOICE = 120;
const MOST_CHOICES = 40;

/**
 * A schema of a Discovery document as one of OpenAPI 3.0: bare references, numbers and defaults written as text, `required` that is no list of
 * properties, and what each value of an enumeration means.
 */
export function convertSchema(schema: unknown, depth: number): unknown {
  if (!isRecord(schema) || depth > DEEPEST) return {};
  const { id: _, required: __, enumDescriptions, annotations: ___, $ref, ...rest } = schema;
  if (typeof $ref === 'string')
    return { $ref: `#/components/schemas/${$ref.replace(/~/g, '~0').replace(/\//g, '~1')}`, description: rest.description };
  const converted: Record<string, unknown> = { ...rest };
  if (rest.type === 'any') delete converted.type;
  for (const bound of ['minimum', 'maximum'] as const) {
    const number = Number(rest[bound]);
    if (rest[bound] !== undefined) converted[bound] = Number.isFinite(number) ? number : undefined;
  }
  if (typeof rest.default === 'string') converted.default = typed(rest.default, rest.type);
  const description = withChoices(textOf(rest, 'description') ?? '', rest.enum, enumDescriptions);
  if (description !== '') converted.description = description;
  if (isRecord(rest.properties)) {
    converted.properties = Object.fromEntries(
      Object.entries(rest.properties).map(([name, property]) => [name, convertSchema(property, depth + 1)]),
    );
  }
  for (const keyword of ['items', 'additionalProperties'] as const)
    if (isRecord(rest[keyword])) converted[keyword] = convertSchema(rest[keyword], depth + 1);
  return converted;
}

function typed(text: string, type: unknown): unknown {
  if (type === 'boolean') return text === 'true';
  if (type !== 'integer' && type !== 'number') return text;
  return Number.isFinite(Number(text)) ? Number(text) : undefined;
}

function withChoices(description: string, values: unknown, meanings: unknown): string {
  if (!Array.isArray(values) || !Array.isArray(meanings)) return description;
  const choices = values
    .slice(0, MOST_CHOICES)
    .map((value, index) => ({ value: String(value).slice(0, 80), meaning: meanings[index] }))
    .filter(({ meaning }) => typeof meaning === 'string' && meaning !== '')
    .map(({ value, meaning }) => `${value}: ${String(meaning).slice(0, LONGEST_CHOICE)}`);
  return choices.length === 0 ? description : `${description} (${choices.join('; ')})`.trim();
}
