import { isReservedInPython } from '../naming/reserved-words.ts';
import { docstring, plainProse, quotePython } from '../text/quote.ts';
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

/** Collects the TypedDict classes that types of one file need, in the order in which they can be declared. */
export interface PythonDeclarations {
  readonly classes: string[];
  readonly names: Set<string>;
}

interface Conversion {
  readonly root: unknown;
  readonly budget: SchemaBudget;
  readonly open: Set<string>;
  readonly declarations: PythonDeclarations;
}

export const newPythonDeclarations = (): PythonDeclarations => ({
  classes: [],
  names: new Set(['Any', 'Literal', 'NotRequired', 'TypedDict']),
});

/** A Python type expression for a foreign JSON Schema; `name` is what a class of its own would be called. Never throws. */
export function pythonType(schema: unknown, name: string, declarations: PythonDeclarations, root: unknown = schema): string {
  return convert(schema, name, { root, budget: newSchemaBudget(), open: new Set(), declarations }, 0);
}

function convert(schema: unknown, name: string, conversion: Conversion, depth: number): string {
  conversion.budget.nodes -= 1;
  if (!isSchemaNode(schema) || depth > DEEPEST_SCHEMA || conversion.budget.nodes < 0) return 'Any';
  if (typeof schema.$ref === 'string') return referenced(schema, schema.$ref, name, conversion, depth);
  if ('const' in schema) return literals([schema.const]);
  if (Array.isArray(schema.enum)) return literals(schema.enum);
  // Python has no intersection of types: one branch tells what it can, two tell nothing.
  const branches = alternativesOf(schema);
  const type =
    branches === null
      ? ownType(schema, name, conversion, depth)
      : union(branches.map((branch, index) => convert(branch, `${name}${index + 1}`, conversion, depth + 1)));
  return schema.nullable === true ? union([type, 'None']) : type;
}

function referenced(schema: SchemaNode, reference: string, name: string, conversion: Conversion, depth: number): string {
  if (conversion.open.has(reference)) return 'Any';
  const target = resolveReference(conversion.root, reference);
  if (target === undefined) return 'Any';
  conversion.open.add(reference);
  try {
    const type = convert(target, name, conversion, depth + 1);
    return schema.nullable === true ? union([type, 'None']) : type;
  } finally {
    conversion.open.delete(reference);
  }
}

function alternativesOf(schema: SchemaNode): unknown[] | null {
  if (typesOf(schema).length > 0) return null;
  for (const keyword of ['anyOf', 'oneOf', 'allOf']) {
    const branches = schema[keyword];
    if (!Array.isArray(branches) || branches.length === 0) continue;
    if (branches.length > LONGEST_UNION || (keyword === 'allOf' && branches.length > 1)) return [true];
    return branches;
  }
  return null;
}

function ownType(schema: SchemaNode, name: string, conversion: Conversion, depth: number): string {
  return union(
    typesOf(schema).map((type) => {
      switch (type) {
        case 'string':
          return 'str';
        case 'number':
          return 'float';
        case 'integer':
          return 'int';
        case 'boolean':
          return 'bool';
        case 'null':
          return 'None';
        case 'array':
          return tupleOf(schema) === null ? `list[${convert(schema.items ?? true, `${name}Item`, conversion, depth + 1)}]` : 'list[Any]';
        case 'object':
          return objectType(schema, name, conversion, depth);
        default:
          return 'Any';
      }
    }),
  );
}

function objectType(schema: SchemaNode, name: string, conversion: Conversion, depth: number): string {
  const { properties, isCut } = propertiesOf(schema);
  const extra = schema.additionalProperties;
  if (properties.length === 0) {
    return `dict[str, ${isSchemaNode(extra) ? convert(extra, `${name}Value`, conversion, depth + 1) : 'Any'}]`;
  }
  // A TypedDict admits no other keys than its own.
  if (isCut || extra === true || isSchemaNode(extra)) return 'dict[str, Any]';
  const members = properties.map((property) => {
    const type = convert(property.schema, `${name}${pascalCase(property.name)}`, conversion, depth + 1);
    return {
      name: property.name,
      type: property.isRequired ? type : `NotRequired[${type}]`,
      prose: plainProse(propertyProse(property.schema), 300),
    };
  });
  const className = claim(name, conversion.declarations);
  const isPlain = members.every((member) => /^[A-Za-z][A-Za-z0-9_]*$/.test(member.name) && !isReservedInPython(member.name));
  conversion.declarations.classes.push(
    isPlain
      ? `class ${className}(TypedDict):\n${members
          .map((member) => `    ${member.name}: ${member.type}\n${member.prose === '' ? '' : `    ${docstring(member.prose, '    ')}`}`)
          .join('')}`
      : `${className} = TypedDict(${quotePython(className)}, {${members.map((member) => `${quotePython(member.name)}: ${member.type}`).join(', ')}})\n`,
  );
  return className;
}

function union(types: readonly string[]): string {
  const distinct = [...new Set(types)];
  return distinct.length === 0 || distinct.includes('Any') ? 'Any' : distinct.join(' | ');
}

function literals(values: readonly unknown[]): string {
  if (values.length === 0 || values.length > LONGEST_UNION) {
    return values.length > 0 && values.every((value) => typeof value === 'string') ? 'str' : 'Any';
  }
  const members: string[] = [];
  for (const value of values) {
    if (typeof value === 'string') members.push(value.length <= 300 ? quotePython(value) : '');
    else if (typeof value === 'boolean') members.push(value ? 'True' : 'False');
    else if (value === null) members.push('None');
    else if (Number.isSafeInteger(value)) members.push(String(value));
    else return 'Any';
  }
  return members.includes('') ? 'str' : `Literal[${[...new Set(members)].join(', ')}]`;
}

/** A class name not used in this file yet. */
function claim(name: string, declarations: PythonDeclarations): string {
  const short = name.slice(0, 120);
  let claimed = short;
  for (let number = 2; declarations.names.has(claimed); number += 1) claimed = `${short}_${number}`;
  declarations.names.add(claimed);
  return claimed;
}

/** `read_text_file` → `ReadTextFile`; always a name, never a word of a language. */
export function pascalCase(text: string): string {
  const words = text.slice(0, 200).match(/[A-Za-z0-9]+/g) ?? [];
  const name = words
    .map((word) => word.charAt(0).toUpperCase() + word.slice(1))
    .join('')
    .slice(0, 80);
  return /^[A-Z]/.test(name) ? name : `Of${name}`;
}
