import type { ToolDefinition } from '@code-executor/contracts';
import { type CodeName, codeNames } from '../naming/code-names.ts';
import { pythonToolSource } from './python-tool.ts';
import type { GeneratedFile } from './server-files.ts';
import { typeScriptSignature, typeScriptToolSource } from './typescript-tool.ts';

export type WrapperLanguage = 'typescript' | 'python';

/**
 * The generated files of one tool, paths relative to `/workspace/servers`. Its name in code depends on its neighbours: pass the one
 * that `codeNames` gives for the whole catalog; without it the tool is taken to be alone.
 */
export function generateToolFiles(tool: ToolDefinition, name: CodeName = loneName(tool)): GeneratedFile[] {
  return [wrapperSource(tool, 'typescript', name), wrapperSource(tool, 'python', name)];
}

export function wrapperSource(tool: ToolDefinition, language: WrapperLanguage, name: CodeName = loneName(tool)): GeneratedFile {
  return language === 'typescript'
    ? { path: `${name.directory}/${name.typescript}.ts`, source: typeScriptToolSource(tool, name) }
    : { path: `${name.directory}/${name.python}.py`, source: pythonToolSource(tool, name) };
}

/** What `tools.<server>.<tool>` is in TypeScript, on one line. */
export function toolSignature(tool: ToolDefinition, name: CodeName = loneName(tool)): string {
  return typeScriptSignature(tool, name);
}

export function loneName(tool: ToolDefinition): CodeName {
  const name = codeNames([tool]).get(`${tool.server}.${tool.name}`);
  if (!name) throw new TypeError(`Tool ${tool.server}.${tool.name} has no name in code`);
  return name;
}
