import type { ServerName, ToolName } from '../naming/code-names.ts';
import { plainProse, quotePython, quoteTypeScript } from '../text/quote.ts';

export interface GeneratedFile {
  /** Relative to `/workspace/servers`. */
  readonly path: string;
  readonly source: string;
}

/**
 * The file that gathers a server's tools in TypeScript. Its functions call the channel themselves and take only their types from the
 * tools' own files, so that importing it loads one file, however many tools there are.
 */
export function typeScriptIndexSource(server: string, tools: ReadonlyMap<string, ToolName>): string {
  const functions = [...tools].map(
    ([tool, { typescript }]) =>
      `export const ${typescript}: typeof import('./${typescript}.ts').${typescript} = (args) => $call(${quoteTypeScript(`${server}.${tool}`)}, args);\n`,
  );
  return `// Generated: every tool of ${proseName(server)}. Each has a file of its own beside this one.
import { $call } from '../runtime.ts';

${functions.join('')}${functions.length === 0 ? 'export {};\n' : ''}`;
}

/** The package of a server's tools in Python: a tool is imported when it is first named. */
export function pythonPackageSource(server: string): string {
  return `# Generated: the tools of ${proseName(server)}, each in a file of its own beside this one.
from servers import _runtime as _rt

__server__ = ${quotePython(server)}
__getattr__, __dir__ = _rt.lazily(__name__, __path__)
`;
}

/** The same tools in their asynchronous form. */
export function pythonAsyncSource(server: string, { identifier }: ServerName): string {
  return `# Generated: the tools of ${proseName(server)}, to be awaited.
from servers import _runtime as _rt

__getattr__, __dir__ = _rt.asynchronously(__name__, "servers.${identifier}")
`;
}

const proseName = (server: string): string => plainProse(server, 100).replace(/\n/g, ' ');
