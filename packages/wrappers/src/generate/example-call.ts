import type { ToolDefinition } from '@code-executor/contracts';
import type { CodeName } from '../naming/code-names.ts';
import { isReservedInPython } from '../naming/reserved-words.ts';
import { shortJson } from '../schema/property-prose.ts';
import { isSchemaNode, propertiesOf, resolveReference, tupleOf, typesOf } from '../schema/schema-node.ts';
import { quotePython, quoteTypeScript } from '../text/quote.ts';
import { loneName, type WrapperLanguage } from './tool-files.ts';

/** A short program that calls the tool with its required arguments, their values made up from the schema. */
export function exampleCall(tool: ToolDefinition, language: WrapperLanguage, name: CodeName = loneName(tool)): string {
  const args = requiredArguments(tool);
  if (language === 'typescript') {
    const literal = args.length === 0 ? '{}' : typeScriptLiteral(Object.fromEntries(args));
    return `import { ${name.typescript} } from '/workspace/servers/${name.directory}/${name.typescript}.js';\n\nreturn await ${name.typescript}(${literal});\n`;
  }
  const given = args.map(([key, value]) =>
    /^[A-Za-z][A-Za-z0-9_]*$/.test(key) && !isReservedInPython(key)
      ? `${key}=${pythonLiteral(value)}`
      : `**{${quotePython(key)}: ${pythonLiteral(value)}}`,
  );
  return `from servers.${name.identifier} import ${name.python}\n\n${name.python}(${given.join(', ')})\n`;
}

function requiredArguments(tool: ToolDefinition): [string, unknown][] {
  if (!isSchemaNode(tool.inputSchema)) return [];
  return propertiesOf(tool.inputSchema)
    .properties.filter((property) => property.isRequired)
    .slice(0, 20)
    .map((property) => [property.name, sampleOf(property.schema, tool.inputSchema, 0)]);
}

function sampleOf(schema: unknown, root: unknown, depth: number): unknown {
  if (!isSchemaNode(schema) || depth > 4) return null;
  for (const given of [Array.isArray(schema.examples) ? schema.examples[0] : undefined, schema.example, schema.default, schema.const]) {
    if (given !== undefined && shortJson(given) !== null) return given;
  }
  if (Array.isArray(schema.enum) && schema.enum.length > 0 && shortJson(schema.enum[0]) !== null) return schema.enum[0];
  if (schema.$ref !== undefined) return sampleOf(resolveReference(root, schema.$ref), root, depth + 1);
  const branch = [schema.anyOf, schema.oneOf, schema.allOf].find((branches) => Array.isArray(branches) && branches.length > 0);
  const [type] = typesOf(schema);
  if (type === undefined && Array.isArray(branch)) return sampleOf(branch[0], root, depth + 1);
  switch (type) {
    case 'string':
      return sampleText(schema);
    case 'number':
    case 'integer':
      return typeof schema.minimum === 'number' && schema.minimum > 0 && schema.minimum < 1e6 ? schema.minimum : 1;
    case 'boolean':
      return true;
    case 'array':
      return (tupleOf(schema) ?? [schema.items]).slice(0, 3).map((item) => sampleOf(item, root, depth + 1));
    case 'object':
      return Object.fromEntries(
        propertiesOf(schema)
          .properties.filter((property) => property.isRequired)
          .slice(0, 10)
          .map((property) => [property.name, sampleOf(property.schema, root, depth + 1)]),
      );
    default:
      return null;
  }
}

function sampleText(schema: { readonly [keyword: string]: unknown }): string {
  switch (schema.format) {
    case 'uri':
    case 'url':
      return 'https://example.com/';
    case 'date':
      return '2026-01-31';
    case 'date-time':
      return '2026-01-31T12:00:00Z';
    case 'email':
      return 'someone@example.com';
    default:
      return '…';
  }
}

function typeScriptLiteral(value: unknown): string {
  if (typeof value === 'string') return quoteTypeScript(value);
  if (Array.isArray(value)) return `[${value.map(typeScriptLiteral).join(', ')}]`;
  if (typeof value !== 'object' || value === null) return JSON.stringify(value) ?? 'null';
  const members = Object.entries(value).map(
    ([key, member]) =>
      `${/^[A-Za-z_$][A-Za-z0-9_$]*$/.test(key) && key !== '__proto__' ? key : `[${quoteTypeScript(key)}]`}: ${typeScriptLiteral(member)}`,
  );
  return members.length === 0 ? '{}' : `{ ${members.join(', ')} }`;
}

function pythonLiteral(value: unknown): string {
  if (typeof value === 'string') return quotePython(value);
  if (typeof value === 'boolean') return value ? 'True' : 'False';
  if (value === null || value === undefined) return 'None';
  if (Array.isArray(value)) return `[${value.map(pythonLiteral).join(', ')}]`;
  if (typeof value === 'object') {
    return `{${Object.entries(value)
      .map(([key, member]) => `${quotePython(key)}: ${pythonLiteral(member)}`)
      .join(', ')}}`;
  }
  return JSON.stringify(value) ?? 'None';
}
