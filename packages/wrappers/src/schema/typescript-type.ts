import { jsDoc, plainProse, quoteTypeScript } from '../text/quote.ts';
import { propertyProse } from './property-prose.ts';
import {
  DEEPEST_SCHEMA,
  isSchemaNode,
  LONGEST_UNION,
  newSchemaBudget,
  propertiesOf,
  resolveReference,
  type SchemaBudget,
  type SchemaNode,
  tupleOf,
  typesOf,
} from './schema-node.ts';

export interface TypeScriptTypeOptions {
  /** Descriptions of properties as comments, and a line for each; without it the type is one line. */
  readonly withProse: boolean;
  /** Levels that are spelled out. */
  readonly deepest?: number | undefined;
}

interface Conversion extends TypeScriptTypeOptions {
  readonly root: unknown;
  readonly budget: SchemaBudget;
  /** References being expanded: one that leads back to itself ends as `any`. */
  readonly open: Set<string>;
  /** Braces that are open: the indent of the next line. */
  level: number;
}

/** A TypeScript type expression for a foreign JSON Schema. Never throws; what it cannot say is `any`. */
export function typeScriptType(schema: unknown, options: TypeScriptTypeOptions): string {
  return convert(schema, { ...options, root: schema, budget: newSchemaBudget(), open: new Set(), level: 0 }, 0);
}

/** The members of an object schema as the body of an interface, braces included; null where the schema is no plain object. */
export function typeScriptInterface(schema: unknown, options: TypeScriptTypeOptions): string | null {
  if (!isSchemaNode(schema) || schema.$ref !== undefined || isCombined(schema) || !isSchemaNode(schema.properties)) return null;
  const types = typesOf(schema);
  if (types.length !== 1 || types[0] !== 'object' || schema.nullable === true || 'enum' in schema || 'const' in schema) return null;
  return objectType(schema, { ...options, root: schema, budget: newSchemaBudget(), open: new Set(), level: 0 }, 0);
}

function convert(schema: unknown, conversion: Conversion, depth: number): string {
  conversion.budget.nodes -= 1;
  if (schema === false) return 'never';
  if (!isSchemaNode(schema) || depth > (conversion.deepest ?? DEEPEST_SCHEMA) || conversion.budget.nodes < 0) return 'any';
  if (typeof schema.$ref === 'string') return referenced(schema, schema.$ref, conversion, depth);
  if ('const' in schema) return literal(schema.const) ?? 'any';
  if (Array.isArray(schema.enum)) return enumerated(schema.enum);

  const parts: string[] = [];
  const own = ownType(schema, conversion, depth);
  if (own !== null) parts.push(own);
  for (const keyword of ['oneOf', 'anyOf']) {
    const branches = schema[keyword];
    if (Array.isArray(branches) && branches.length > 0) parts.push(alternatives(branches, conversion, depth));
  }
  if (Array.isArray(schema.allOf)) {
    for (const branch of schema.allOf.slice(0, LONGEST_UNION)) parts.push(convert(branch, conversion, depth + 1));
  }
  const known = [...new Set(parts)].filter((part) => part !== 'any');
  const type = known.length === 0 ? 'any' : known.length === 1 ? String(known[0]) : known.map((part) => `(${part})`).join(' & ');
  return schema.nullable === true && type !== 'any' ? `${type} | null` : type;
}

function referenced(schema: SchemaNode, reference: string, conversion: Conversion, depth: number): string {
  if (conversion.open.has(reference)) return 'any';
  const target = resolveReference(conversion.root, reference);
  if (target === undefined) return 'any';
  conversion.open.add(reference);
  try {
    const type = convert(target, conversion, depth + 1);
    return schema.nullable === true && type !== 'any' ? `${type} | null` : type;
  } finally {
    conversion.open.delete(reference);
  }
}

function ownType(schema: SchemaNode, conversion: Conversion, depth: number): string | null {
  const types = typesOf(schema);
  if (types.length === 0) return null;
  const members = types.map((type) => {
    switch (type) {
      case 'string':
        return 'string';
      case 'number':
      case 'integer':
        return 'number';
      case 'boolean':
        return 'boolean';
      case 'null':
        return 'null';
      case 'array':
        return arrayType(schema, conversion, depth);
      case 'object':
        return objectType(schema, conversion, depth);
      default:
        return 'any';
    }
  });
  return members.includes('any') ? 'any' : [...new Set(members)].join(' | ');
}

function alternatives(branches: readonly unknown[], conversion: Conversion, depth: number): string {
  if (branches.length > LONGEST_UNION) return 'any';
  const types = new Set(branches.map((branch) => convert(branch, conversion, depth + 1)));
  if (types.has('any')) {
    // A branch that only constrains (`{required: […]}` beside `properties`) says nothing about the type.
    return 'any';
  }
  return [...types].join(' | ');
}

function arrayType(schema: SchemaNode, conversion: Conversion, depth: number): string {
  const tuple = tupleOf(schema);
  if (tuple === null) return `Array<${convert(schema.items ?? true, conversion, depth + 1)}>`;
  if (tuple.length > LONGEST_UNION) return 'Array<any>';
  const least = typeof schema.minItems === 'number' ? schema.minItems : 0;
  const rest = Array.isArray(schema.items) ? schema.additionalItems : schema.items;
  const members = tuple.map((item, index) => `${asElement(convert(item, conversion, depth + 1))}${index < least ? '' : '?'}`);
  if (rest !== false) members.push(`...Array<${convert(rest ?? true, conversion, depth + 1)}>`);
  return `[${members.join(', ')}]`;
}

function objectType(schema: SchemaNode, conversion: Conversion, depth: number): string {
  const { properties, isCut } = propertiesOf(schema);
  const extra = schema.additionalProperties;
  const isOpen = isCut || extra === true || isSchemaNode(extra) || isSchemaNode(schema.patternProperties);
  if (properties.length === 0) {
    if (extra === false && !isOpen) return 'Record<string, never>';
    return `Record<string, ${isSchemaNode(extra) ? convert(extra, conversion, depth + 1) : 'any'}>`;
  }
  conversion.level += 1;
  const indent = '  '.repeat(conversion.level);
  const members = properties.map(({ name, schema: property, isRequired }) => {
    const prose = conversion.withProse ? jsDoc(plainProse(propertyProse(property), 600), indent) : '';
    const type = convert(property, conversion, depth + 1);
    const member = `${propertyName(name)}${isRequired ? '' : '?'}: ${type}`;
    return conversion.withProse ? `${prose}${indent}${member};\n` : member;
  });
  conversion.level -= 1;
  // Beside named members an index signature must admit all of their types.
  if (isOpen) members.push(conversion.withProse ? `${indent}[key: string]: any;\n` : '[key: string]: any');
  return conversion.withProse ? `{\n${members.join('')}${'  '.repeat(conversion.level)}}` : `{ ${members.join('; ')} }`;
}

function enumerated(values: readonly unknown[]): string {
  if (values.length === 0) return 'never';
  const literals = values.slice(0, LONGEST_UNION).map(literal);
  if (values.length > LONGEST_UNION || literals.includes(null)) {
    return values.every((value) => typeof value === 'string')
      ? 'string'
      : values.every((value) => typeof value === 'number')
        ? 'number'
        : 'any';
  }
  return [...new Set(literals)].join(' | ');
}

/** A literal type, or null for a value that has none. */
function literal(value: unknown): string | null {
  if (typeof value === 'string') return value.length <= 300 ? quoteTypeScript(value) : 'string';
  if (typeof value === 'number') return Number.isFinite(value) ? String(value === 0 ? 0 : value) : 'number';
  return typeof value === 'boolean' || value === null ? String(value) : null;
}

const isCombined = (schema: SchemaNode): boolean =>
  Array.isArray(schema.oneOf) || Array.isArray(schema.anyOf) || Array.isArray(schema.allOf);

const asElement = (type: string): string => (/[|&]/.test(type) ? `(${type})` : type);

const propertyName = (name: string): string =>
  /^[A-Za-z_$][A-Za-z0-9_$]*$/.test(name) && name !== '__proto__' ? name : name === '' ? '""' : quoteTypeScript(name);
