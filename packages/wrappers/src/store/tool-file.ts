import type { ToolDefinition } from '@code-executor/contracts';
import { type WrapperLanguage, wrapperSource } from '../generate/tool-files.ts';
import type { CodeName } from '../naming/code-names.ts';

/** A file that is made from one tool: all that another thread needs to write it. */
export interface ToolFile {
  readonly tool: ToolDefinition;
  readonly language: WrapperLanguage;
  readonly name: CodeName;
}

export const toolFileSource = ({ tool, language, name }: ToolFile): string => wrapperSource(tool, language, name).source;

/** As they are written into every snapshot. */
export const FILE_OPTIONS = { mode: 0o444, flag: 'wx' } as const;
