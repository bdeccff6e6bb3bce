import type { JsonSchema, ToolDefinition } from '@code-executor/contracts';
import type { CodeName } from '../naming/code-names.ts';
import { pascalCase } from '../schema/python-type.ts';
import { isSchemaNode, propertiesOf } from '../schema/schema-node.ts';
import { typeScriptInterface, typeScriptType } from '../schema/typescript-type.ts';
import { jsDoc, plainProse, quoteTypeScript } from '../text/quote.ts';
import { typeScriptSkillSource } from './skill-files.ts';
import { toolProse } from './tool-prose.ts';

/** The TypeScript file of one tool: the types of its arguments and result, and the function that calls it. */
export function typeScriptToolSource(tool: ToolDefinition, name: CodeName): string {
  const types = pascalCase(name.typescript);
  const address = quoteTypeScript(`${tool.server}.${tool.name}`);
  const isOptional = argumentsAreOptional(tool);
  if (tool.skill !== undefined) {
    const args = argumentsDeclaration(tool, '$Arguments').replace(/^export (?=interface|type)/m, '');
    return typeScriptSkillSource(tool, tool.skill, name, { args, result: 'type $Result = any;\n', isOptional });
  }
  return `// Generated from the tool's definition. Calls go through the sandbox's one channel.
import { $call } from '../runtime.ts';

${argumentsDeclaration(tool, `${types}Arguments`)}
${resultDeclaration(tool, `${types}Result`)}
${jsDoc(toolProse(tool), '')}export function ${name.typescript}(args${isOptional ? '?' : ''}: ${types}Arguments): Promise<${types}Result> {
  return $call(${address}, args);
}
export default ${name.typescript};
`;
}

/** `filesystem.read_text_file(args: { path: string; head?: number }): Promise<string>`, on one line. */
export function typeScriptSignature(tool: ToolDefinition, name: CodeName): string {
  const isOptional = argumentsAreOptional(tool);
  const args = shortType(tool.inputSchema);
  const result = tool.outputSchema === undefined ? 'any' : shortType(tool.outputSchema);
  return `${name.identifier}.${name.typescript}(args${isOptional ? '?' : ''}: ${args}): Promise<${result}>`;
}

/** With as many levels as an agent reads for little: the wrapper's file has them all. */
function shortType(schema: JsonSchema): string {
  const whole = typeScriptType(schema, { withProse: false });
  for (let deepest = 4, type = whole; ; deepest -= 1) {
    if (type.length <= LONGEST_SIGNATURE_TYPE || deepest === 0) return type;
    type = typeScriptType(schema, { withProse: false, deepest });
  }
}

const LONGEST_SIGNATURE_TYPE = 2_000;

function argumentsAreOptional(tool: ToolDefinition): boolean {
  if (!isSchemaNode(tool.inputSchema)) return true;
  return !propertiesOf(tool.inputSchema).properties.some((property) => property.isRequired) && !hasBranches(tool.inputSchema);
}

function argumentsDeclaration(tool: ToolDefinition, typeName: string): string {
  const heading = `/** Arguments of ${plainProse(tool.name, 200).replace(/\n/g, ' ').replace(/\*\//g, '*\\/')}. */\n`;
  const body = typeScriptInterface(tool.inputSchema, { withProse: true });
  if (body?.startsWith('{\n')) return `${heading}export interface ${typeName} ${body}\n`;
  return `${heading}export type ${typeName} = ${typeScriptType(tool.inputSchema, { withProse: true })};\n`;
}

function resultDeclaration(tool: ToolDefinition, typeName: string): string {
  // `any`, not `unknown`: a program that reads what an undeclared result holds is right more often than wrong.
  if (tool.outputSchema === undefined) return `/** The server does not declare what it returns. */\nexport type ${typeName} = any;\n`;
  const body = typeScriptInterface(tool.outputSchema, { withProse: true });
  if (body?.startsWith('{\n')) return `export interface ${typeName} ${body}\n`;
  return `export type ${typeName} = ${typeScriptType(tool.outputSchema, { withProse: true })};\n`;
}

const hasBranches = (schema: { readonly [keyword: string]: unknown }): boolean =>
  ['$ref', 'anyOf', 'oneOf', 'allOf'].some((keyword) => schema[keyword] !== undefined);
