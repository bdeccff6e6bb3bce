import { isSchemaNode } from './schema-node.ts';

/** What a property's schema says beside its type: the description, then format, bounds and default. */
export function propertyProse(schema: unknown): string {
  if (!isSchemaNode(schema)) return '';
  const facts: string[] = [];
  if (typeof schema.format === 'string') facts.push(`format ${schema.format}`);
  for (const keyword of ['minimum', 'maximum', 'exclusiveMinimum', 'exclusiveMaximum', 'minLength', 'maxLength', 'minItems', 'maxItems']) {
    // A safe integer's largest value is how schema generators spell "no bound".
    if (typeof schema[keyword] === 'number' && Math.abs(schema[keyword]) < Number.MAX_SAFE_INTEGER)
      facts.push(`${keyword} ${schema[keyword]}`);
  }
  if (typeof schema.pattern === 'string' && schema.pattern.length <= 80) facts.push(`pattern ${schema.pattern}`);
  if (schema.default !== undefined) {
    const text = shortJson(schema.default);
    if (text !== null) facts.push(`default ${text}`);
  }
  const description =
    typeof schema.description === 'string' ? schema.description.trim() : typeof schema.title === 'string' ? schema.title.trim() : '';
  if (facts.length === 0) return description;
  return `${description}${description === '' ? '' : ' '}(${facts.join(', ')})`;
}

/** JSON of at most 120 characters, or null. */
export function shortJson(value: unknown): string | null {
  if (!isShallow(value, 4)) return null;
  const text = JSON.stringify(value);
  return text !== undefined && text.length <= 120 ? text : null;
}

/** Foreign values may nest deeper than JSON.stringify can follow. */
function isShallow(value: unknown, levels: number): boolean {
  if (typeof value !== 'object' || value === null) return true;
  const members = Object.values(value);
  return levels > 0 && members.length <= 20 && members.every((member) => isShallow(member, levels - 1));
}
