import type { SkillBody, ToolDefinition } from '@code-executor/contracts';
import type { CodeName, ToolName } from '../naming/code-names.ts';
import { jsDoc, quotePython, quoteTypeScript } from '../text/quote.ts';
import { toolProse } from './tool-prose.ts';

/** What of a tool's TypeScript file is about its types. */
export interface TypeDeclarations {
  readonly args: string;
  readonly result: string;
  readonly isOptional: boolean;
}

/**
 * The TypeScript file of one skill: its program, run where it is imported once the call was let through. Every name of ours starts
 * with `$`, since what the skill imports stands beside them.
 */
export function typeScriptSkillSource(tool: ToolDefinition, skill: SkillBody, name: CodeName, types: TypeDeclarations): string {
  const address = quoteTypeScript(`${tool.server}.${tool.name}`);
  const isOwn = skill.language === 'typescript';
  return `// Generated from the skill's code, which runs in the program that imports it.
import { ${isOwn ? '$skill' : '$foreignSkill'} } from '../runtime.ts';

${types.args}
${types.result}
${jsDoc(toolProse(tool), '')}async function $run(${isOwn ? 'args' : '_args'}${types.isOptional ? '?' : ''}: $Arguments): Promise<$Result> {
  return ${isOwn ? `$skill(${address}, $body, args)` : `$foreignSkill(${address}, 'Python')`};
}
export { $run as ${name.typescript}, $run as default };
${isOwn ? `\n${skill.source}\n` : ''}`;
}

/** The end of the Python function: the call, or why there is none. */
export function pythonSkillCall(tool: ToolDefinition, skill: SkillBody, given: string): string {
  const address = quotePython(`${tool.server}.${tool.name}`);
  if (skill.language === 'python') return `_rt.skill(${address}, ${given}, ${quotePython(skill.source)})`;
  return `_rt.foreign_skill(${address}, "TypeScript")`;
}

/** The file that gathers the skills: each is loaded when it is first called. */
export function skillIndexSource(skills: ReadonlyMap<string, ToolName>): string {
  const functions = [...skills.values()].map(
    ({ typescript }) =>
      `export const ${typescript}: typeof import('./${typescript}.ts').${typescript} = async (args) => (await import('./${typescript}.ts')).${typescript}(args);\n`,
  );
  return `// Generated: every skill. Each has a file of its own beside this one.\n${functions.join('')}export {};\n`;
}
