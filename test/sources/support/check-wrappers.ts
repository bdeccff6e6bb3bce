import { execFile } from 'node:child_process';
import { lstatSync, readdirSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import ts from 'typescript';

const run = promisify(execFile);
const PYTHON = '/usr/bin/python3';
const libDirectory = dirname(createRequire(import.meta.url).resolve('typescript'));

export interface CheckedWrappers {
  readonly files: number;
  /** What the compilers say, the first of it. */
  readonly failures: readonly string[];
}

/** The newest wrappers that the service has written. */
export function newestSnapshot(dataDir: string): string {
  const root = join(dataDir, 'snapshots');
  const records = readdirSync(root)
    .filter((entry) => entry.endsWith('.json'))
    .map((entry) => ({
      id: entry.slice(0, -5),
      at: (JSON.parse(readFileSync(join(root, entry), 'utf8')) as { lastCurrentAt: number }).lastCurrentAt,
    }))
    .sort((a, b) => b.at - a.at);
  return join(root, records[0]?.id ?? '');
}

/** Type-checks every TypeScript wrapper of a server, `strict`, as one program. */
export function typeCheck(snapshot: string, server: string): CheckedWrappers {
  const directory = join(snapshot, server);
  const roots = readdirSync(directory)
    .filter((file) => file.endsWith('.ts'))
    .map((file) => join(directory, file));
  const options: ts.CompilerOptions = {
    target: ts.ScriptTarget.ESNext,
    lib: ['lib.esnext.d.ts'],
    module: ts.ModuleKind.ESNext,
    moduleResolution: ts.ModuleResolutionKind.Bundler,
    allowImportingTsExtensions: true,
    strict: true,
    types: [],
    noEmit: true,
  };
  const host = ts.createCompilerHost(options);
  const program = ts.createProgram(roots, options, { ...host, getDefaultLibLocation: () => libDirectory });
  const diagnostics = ts.getPreEmitDiagnostics(program);
  const failures = diagnostics.slice(0, 5).map((diagnostic) => {
    const place = diagnostic.file === undefined ? '' : diagnostic.file.fileName.slice(snapshot.length);
    return `${place}: ${ts.flattenDiagnosticMessageText(diagnostic.messageText, ' ')}`;
  });
  return { files: roots.length, failures };
}

const COMPILE = `
import ast, json, os, sys
directory, failures, files = sys.argv[1], [], 0
for name in sorted(os.listdir(directory)):
    if not name.endswith(".py"): continue
    files += 1
    try:
        with open(os.path.join(directory, name), encoding="utf-8") as file: source = file.read()
        compile(source, name, "exec")
        # What only a type checker reads has to be Python as well.
        for node in ast.walk(ast.parse(source)):
            if isinstance(node, ast.Constant) and isinstance(node.value, str): node.value.encode("utf-8")
    except Exception as error:
        failures.append(f"{name}: {error}")
print(json.dumps({"files": files, "failures": failures[:5]}))
`;

/** Compiles every Python wrapper of a server. */
export async function compilePython(snapshot: string, server: string): Promise<CheckedWrappers> {
  const link = join(snapshot, server);
  if (!lstatSync(link, { throwIfNoEntry: false })) return { files: 0, failures: [`${server} has no wrappers`] };
  const { stdout } = await run(PYTHON, ['-I', '-c', COMPILE, link], { maxBuffer: 16 << 20 });
  return JSON.parse(stdout) as CheckedWrappers;
}
