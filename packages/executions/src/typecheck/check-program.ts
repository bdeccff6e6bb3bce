import type { ExecutionError } from '@code-executor/contracts';
import ts from 'typescript';
import type { CheckRequest } from './messages.ts';
import { createProgramHost, PROGRAM_PATH, type ProgramHost } from './program-host.ts';
import { blankFences, topLevelReturnsAsThrows } from './program-text.ts';
import { createToolGlobals } from './tool-globals.ts';

const MOST_DIAGNOSTICS = 20;
const LONGEST_MESSAGE = 1000;

/**
 * Diagnostics that are no concern of a program: about how it is packed, which the runner does anew (1108: a `return` at top level; 2306: a
 * file that is no module; 80001: CommonJS), and all of the 7000s, "implicitly has an 'any' type".
 */
const isNoConcern = (code: number): boolean => [1108, 2306, 80001].includes(code) || (code >= 7000 && code < 7100);

interface Service {
  readonly snapshotDir: string;
  readonly host: ProgramHost;
  readonly languageService: ts.LanguageService;
  readonly toolGlobals: (text: string) => string;
}

/** A resident checker. Types of the language, of Node.js and of wrappers that an earlier program used are parsed once. */
export function createProgramChecker(): (request: Omit<CheckRequest, 'number'>) => ExecutionError | null {
  const registry = ts.createDocumentRegistry(true, '/workspace');
  let service: Service | null = null;

  return function check({ code, files, snapshotDir }) {
    service = serviceFor(snapshotDir, service, registry);
    const { host, languageService, toolGlobals } = service;
    const text = topLevelReturnsAsThrows(blankFences(code));
    host.load(text, files, toolGlobals([code, ...Object.values(files)].join('\n')));
    const program = languageService.getProgram();
    if (!program) throw new Error('the language service gave no program');
    const diagnostics = host
      .ownFiles()
      .flatMap((path) => {
        const file = program.getSourceFile(path);
        if (!file) return [];
        const syntactic = program.getSyntacticDiagnostics(file);
        return syntactic.length > 0 ? syntactic : program.getSemanticDiagnostics(file);
      })
      .filter((diagnostic) => diagnostic.category === ts.DiagnosticCategory.Error && !isNoConcern(diagnostic.code));
    return diagnostics.length === 0 ? null : errorOf(diagnostics);
  };
}

/** One service for one snapshot; what its successor needs too stays in the registry. */
function serviceFor(snapshotDir: string, last: Service | null, registry: ts.DocumentRegistry): Service {
  if (last?.snapshotDir === snapshotDir) return last;
  const host = createProgramHost(snapshotDir);
  const service = {
    snapshotDir,
    host,
    languageService: ts.createLanguageService(host, registry),
    toolGlobals: createToolGlobals(snapshotDir),
  };
  host.load('', {}, '');
  service.languageService.getProgram();
  last?.languageService.dispose();
  return service;
}

function errorOf(diagnostics: readonly ts.Diagnostic[]): ExecutionError {
  const details = diagnostics.slice(0, MOST_DIAGNOSTICS).map((diagnostic) => {
    const place = diagnostic.file?.getLineAndCharacterOfPosition(diagnostic.start ?? 0);
    const path = diagnostic.file?.fileName ?? PROGRAM_PATH;
    return {
      ...(path === PROGRAM_PATH ? {} : { file: path.replace('/workspace/', '') }),
      line: (place?.line ?? 0) + 1,
      column: (place?.character ?? 0) + 1,
      message: ts.flattenDiagnosticMessageText(diagnostic.messageText, '\n').slice(0, LONGEST_MESSAGE),
      code: `TS${diagnostic.code}`,
    };
  });
  const [first] = details;
  const more = diagnostics.length - 1;
  const where = first?.file === undefined ? '' : `${first.file}: `;
  return {
    code: 'TYPECHECK_FAILED',
    message: `${where}${first?.message ?? ''}${more > 0 ? ` (and ${more} more)` : ''}`,
    line: first?.line ?? 1,
    column: first?.column ?? 1,
    details: { diagnostics: details, total: diagnostics.length },
  };
}
