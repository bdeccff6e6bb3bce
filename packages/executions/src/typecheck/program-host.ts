import { readFileSync, statSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join, posix } from 'node:path';
import ts from 'typescript';

export const PROGRAM_PATH = '/workspace/.program.ts';
const TOOL_GLOBALS_PATH = '/workspace/.tools.d.ts';
const GLOBALS_PATH = '/workspace/servers/globals.d.ts';

const require = createRequire(import.meta.url);

/** Directories a program's types may come from, by the path under which the program sees them. Nothing else of this machine exists for it. */
const TYPE_DIRECTORIES: readonly (readonly [string, string])[] = [
  ['/types/node/', dirname(require.resolve('@types/node/package.json'))],
  ['/node_modules/undici-types/', dirname(createRequire(require.resolve('@types/node/package.json')).resolve('undici-types/package.json'))],
  ['/typescript/', dirname(require.resolve('typescript'))],
];

/** Strict where it finds mistakes, lenient where agents' usual code is right anyway. */
const COMPILER_OPTIONS: ts.CompilerOptions = {
  target: ts.ScriptTarget.ESNext,
  lib: ['lib.esnext.d.ts'],
  module: ts.ModuleKind.ESNext,
  moduleResolution: ts.ModuleResolutionKind.Bundler,
  moduleDetection: ts.ModuleDetectionKind.Force,
  types: ['node'],
  typeRoots: ['/types'],
  strict: true,
  // On, though what it reports is left out: without it `const found = []` is an array of nothing that nothing can be pushed into.
  noImplicitAny: true,
  // `catch (error) { error.message }` is how everybody writes it.
  useUnknownInCatchVariables: false,
  strictPropertyInitialization: false,
  allowJs: true,
  checkJs: false,
  resolveJsonModule: true,
  allowImportingTsExtensions: true,
  allowUnreachableCode: true,
  allowUnusedLabels: true,
  esModuleInterop: true,
  skipLibCheck: true,
  noEmit: true,
};

export interface ProgramHost extends ts.LanguageServiceHost {
  /** Replaces the program, its files (paths relative to `/workspace`) and the declarations of `tools`. */
  load(code: string, files: Readonly<Record<string, string>>, toolGlobals: string): void;
  /** The paths whose diagnostics are the program's own. */
  ownFiles(): string[];
}

/** The file system as a program sees it: its own files, the wrappers of one snapshot, and the types of the language. */
export function createProgramHost(snapshotDir: string): ProgramHost {
  const loaded = new Map<string, { readonly text: string; readonly version: string }>();
  const versions = new Map<string, string>();
  let loads = 0;

  const realPath = (path: string): string | null => {
    const plain = posix.normalize(path);
    if (plain.startsWith('/workspace/skills/')) return join(snapshotDir, plain.slice('/workspace/'.length));
    if (plain.startsWith('/workspace/servers/')) return join(snapshotDir, plain.slice('/workspace/servers/'.length));
    for (const [seen, real] of TYPE_DIRECTORIES) if (plain.startsWith(seen)) return join(real, plain.slice(seen.length));
    return null;
  };
  const isFile = (path: string): boolean => {
    const real = realPath(path);
    return real !== null && statSync(real, { throwIfNoEntry: false })?.isFile() === true;
  };
  const textOf = (path: string): string | undefined => {
    const own = loaded.get(path);
    if (own) return own.text;
    const real = realPath(path);
    return real !== null && isFile(path) ? readFileSync(real, 'utf8') : undefined;
  };

  return {
    load(code, files, toolGlobals) {
      loads += 1;
      loaded.clear();
      loaded.set(PROGRAM_PATH, { text: code, version: `${loads}` });
      loaded.set(TOOL_GLOBALS_PATH, { text: toolGlobals, version: `${loads}` });
      for (const [path, text] of Object.entries(files)) {
        const seen = posix.normalize(`/workspace/${path}`);
        if (seen.startsWith('/workspace/') && !seen.startsWith('/workspace/servers/')) loaded.set(seen, { text, version: `${loads}` });
      }
    },
    ownFiles: () => [...loaded.keys()].filter((path) => path !== TOOL_GLOBALS_PATH && /\.[cm]?tsx?$/.test(path)),

    getCompilationSettings: () => COMPILER_OPTIONS,
    getScriptFileNames: () => [
      ...(isFile(GLOBALS_PATH) ? [GLOBALS_PATH] : []),
      ...[...loaded.keys()].filter((path) => /\.[cm]?tsx?$/.test(path)),
    ],
    getScriptVersion(path) {
      const own = loaded.get(path);
      if (own) return own.version;
      let version = versions.get(path);
      if (version === undefined) {
        // Files of a snapshot never change, and those that two snapshots share are one file.
        const real = realPath(path);
        const stat = real === null ? undefined : statSync(real, { throwIfNoEntry: false });
        version = stat ? `${stat.ino}:${stat.mtimeMs}` : 'missing';
        versions.set(path, version);
      }
      return version;
    },
    getScriptSnapshot(path) {
      const text = textOf(path);
      return text === undefined ? undefined : ts.ScriptSnapshot.fromString(text);
    },
    getCurrentDirectory: () => '/workspace',
    getDefaultLibFileName: () => '/typescript/lib.esnext.d.ts',
    useCaseSensitiveFileNames: () => true,
    fileExists: (path) => loaded.has(path) || isFile(path),
    readFile: (path) => textOf(path),
    directoryExists(path) {
      const plain = posix.normalize(path).replace(/\/$/, '');
      if (plain === '' || plain === '/workspace' || plain === '/types' || plain === '/node_modules') return true;
      const real = realPath(`${plain}/`);
      if (real !== null) return statSync(real, { throwIfNoEntry: false })?.isDirectory() === true;
      return [...loaded.keys()].some((own) => own.startsWith(`${plain}/`));
    },
    getDirectories: (path) => (posix.normalize(path).replace(/\/$/, '') === '/types' ? ['node'] : []),
    realpath: (path) => path,
  };
}
