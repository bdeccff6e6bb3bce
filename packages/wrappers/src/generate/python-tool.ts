import type { ToolDefinition } from '@code-executor/contracts';
import type { CodeName } from '../naming/code-names.ts';
import { distinctNames } from '../naming/distinct-names.ts';
import { isReservedInPython } from '../naming/reserved-words.ts';
import { propertyProse } from '../schema/property-prose.ts';
import { newPythonDeclarations, pascalCase, pythonType } from '../schema/python-type.ts';
import { isSchemaNode, propertiesOf, resolveReference } from '../schema/schema-node.ts';
import { docstring, plainProse, quotePython } from '../text/quote.ts';
import { pythonSkillCall } from './skill-files.ts';
import { toolProse } from './tool-prose.ts';

/** Parameters a signature lists; what a schema has beyond them is passed by `**more`. */
const MOST_PARAMETERS = 60;

interface Parameter {
  readonly raw: string;
  readonly identifier: string;
  readonly type: string;
  readonly isRequired: boolean;
  readonly prose: string;
}

/** The Python file of one tool: a function with a keyword parameter for each argument. */
export function pythonToolSource(tool: ToolDefinition, name: CodeName): string {
  const declarations = newPythonDeclarations();
  const typesName = pascalCase(name.python);
  const parameters = parametersOf(tool, (raw, schema) =>
    pythonType(schema, `${typesName}${pascalCase(raw)}`, declarations, tool.inputSchema),
  );
  const result = tool.outputSchema === undefined ? 'Any' : pythonType(tool.outputSchema, `${typesName}Result`, declarations);
  const signature = parameters.map(
    (parameter) => `${parameter.identifier}: ${parameter.type}${parameter.isRequired ? '' : ' = _rt.UNSET'}`,
  );
  const more = freeName('more', parameters);
  signature.push(`**${more}: Any`);
  const sent = parameters.map((parameter) => `${quotePython(parameter.raw)}: ${parameter.identifier}`);
  const given = `{${sent.join(', ')}}, ${more}`;
  const body = tool.skill === undefined ? null : pythonSkillCall(tool, tool.skill, given);
  const typing = ['Any', 'Literal', 'NotRequired', 'TypedDict'].join(', ');
  return `# Generated from the tool's definition. Calls go through the sandbox's one channel.
from __future__ import annotations
from servers import _runtime as _rt

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import ${typing}
${declarations.classes.map((declaration) => `\n${indented(declaration)}`).join('')}

def ${name.python}(${signature.join(', ')}) -> ${result}:
    ${docstring(functionProse(tool, parameters), '    ')}    return ${body ?? `_rt.call(${quotePython(`${tool.server}.${tool.name}`)}, ${given})`}


_rt.publish(__name__, ${name.python})
`;
}

/** The parameters of a tool's function: required ones first, as Python wants them, each with the name it has in code. */
function parametersOf(tool: ToolDefinition, typeOf: (raw: string, schema: unknown) => string): Parameter[] {
  if (!isSchemaNode(tool.inputSchema)) return [];
  const schema = tool.inputSchema.$ref === undefined ? tool.inputSchema : resolveReference(tool.inputSchema, tool.inputSchema.$ref);
  if (!isSchemaNode(schema)) return [];
  const all = propertiesOf(schema).properties;
  const identifiers = distinctNames(
    all.map((property) => property.name),
    { isName: /^[A-Za-z_][A-Za-z0-9_]*$/, isReserved: (name) => isReservedParameter(name), fallback: 'argument', areFiles: false },
  );
  return [...all.filter((property) => property.isRequired), ...all.filter((property) => !property.isRequired)]
    .slice(0, MOST_PARAMETERS)
    .map((property) => ({
      raw: property.name,
      identifier: identifiers.get(property.name) ?? property.name,
      type: typeOf(property.name, property.schema),
      isRequired: property.isRequired,
      prose: plainProse(propertyProse(property.schema), 300).replace(/\s*\n\s*/g, ' '),
    }));
}

/** `type` and `match` are fine as parameters, and common; words of the language are not. */
const isReservedParameter = (name: string): boolean => isReservedInPython(name) && !['type', 'match', 'case', '_'].includes(name);

function functionProse(tool: ToolDefinition, parameters: readonly Parameter[]): string {
  const prose = toolProse(tool);
  const described = parameters.filter((parameter) => parameter.prose !== '' || parameter.raw !== parameter.identifier);
  if (described.length === 0) return prose;
  const lines = described.map((parameter) => {
    const original = parameter.raw === parameter.identifier ? '' : ` (sent as ${quotePython(parameter.raw.slice(0, 200))})`;
    return `    ${parameter.identifier}${original}: ${parameter.prose}`.trimEnd();
  });
  return `${prose}\n\nArgs:\n${lines.join('\n')}`;
}

function freeName(wanted: string, parameters: readonly Parameter[]): string {
  let name = wanted;
  while (parameters.some((parameter) => parameter.identifier === name)) name = `_${name}`;
  return name;
}

/** Lines of a declaration, one level in. Newlines inside its docstrings only shift prose. */
const indented = (declaration: string): string =>
  declaration
    .split('\n')
    .map((line) => (line === '' ? line : `    ${line}`))
    .join('\n');
