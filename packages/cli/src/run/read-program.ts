import { readFileSync } from 'node:fs';
import { basename, extname, isAbsolute } from 'node:path';
import { UsageError } from '../command/command.ts';
import type { Terminal } from '../terminal/terminal.ts';

const LANGUAGES = ['typescript', 'python', 'node'] as const;
type Language = (typeof LANGUAGES)[number];

const BY_ENDING: Readonly<Record<string, Language>> = {
  '.ts': 'typescript',
  '.mts': 'typescript',
  '.js': 'typescript',
  '.mjs': 'typescript',
  '.py': 'python',
};

/** `-` is the standard input, and TypeScript unless it is said. */
export function readProgram(path: string, asked: string | undefined, terminal: Terminal): { code: string; language: Language } {
  const language =
    asked === undefined ? (path === '-' ? 'typescript' : BY_ENDING[extname(path)]) : LANGUAGES.find((name) => name === asked);
  if (language === undefined) {
    throw new UsageError(
      asked === undefined
        ? `The language of ${path} is not known by its ending: say --language typescript or --language python.`
        : `There is no language '${asked}'; there are ${LANGUAGES.join(', ')}.`,
    );
  }
  const code = path === '-' ? terminal.readStdin() : readText(path);
  if (code.trim() === '') throw new UsageError(`There is no program in ${path === '-' ? 'the standard input' : path}.`);
  return { code, language };
}

/** Each `PATH` or `PATH=NAME`: what lies there, by the name it gets in /workspace. */
export function readBeside(given: readonly string[]): Record<string, string> | undefined {
  if (given.length === 0) return undefined;
  const files: Record<string, string> = {};
  for (const entry of given) {
    const [path = '', named] = entry.split('=', 2);
    // What lies elsewhere comes in under its own name alone: the sandbox has no such folders.
    const name = named ?? (isAbsolute(path) || path.split('/').includes('..') ? basename(path) : path.replace(/^(\.\/)+/, ''));
    files[name] = readText(path);
  }
  return files;
}

function readText(path: string): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(readFileSync(path));
  } catch (error) {
    if (error instanceof TypeError)
      throw new UsageError(`${path} is no UTF-8 text; binary files go into a session ('executor sessions upload').`);
    throw new UsageError(`${path} cannot be read: ${error instanceof Error ? error.message : String(error)}.`);
  }
}
