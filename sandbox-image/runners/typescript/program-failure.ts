import { readdirSync, readFileSync } from 'node:fs';

/** Payload of a FAILURE frame. `file` names the user's file when it is not the program itself. Lines and columns count from 1. */
export interface Failure {
  code: 'SYNTAX_ERROR' | 'UNCAUGHT' | 'EXITED' | 'RESULT_TOO_LARGE' | 'RESULT_NOT_SERIALIZABLE';
  message: string;
  stack?: string;
  line?: number;
  column?: number;
  file?: string;
}

interface Position {
  readonly file: string;
  readonly line: number;
  readonly column: number;
}

const FRAME = /^\s*at (?:(.*?) \()?(?:file:\/\/)?(\/[^()]*?):(\d+):(\d+)\)?$/;
const UNRESOLVED = /^Cannot find (module|package) '([^']*)' imported from (.+)$/;
const NO_EXPORT = /(?:Export named '([^']+)' not found in module|does not provide an export named '([^']+)')/;
const MAX_TEXT = 16_000;

/**
 * What a thrown value says to the author of the program: only frames of files below the workspace, wrappers left out.
 * `program` is the path of the program's own file.
 */
export function describeFailure(thrown: unknown, workspace: string): Failure {
  // Bun's messages are Errors by some tests and none by others.
  if (isBuildMessage(thrown)) return describeBuild(thrown, workspace);
  if (!(thrown instanceof Error)) return describeForeign(thrown, workspace);
  const stack = typeof thrown.stack === 'string' ? thrown.stack : '';
  const unresolved = UNRESOLVED.exec(thrown.message);
  if (unresolved?.[2] !== undefined) return describeUnresolved(unresolved[2], unresolved[3] ?? '', workspace);
  const builds = (thrown as { errors?: unknown }).errors;
  if (thrown.name === 'AggregateError' && Array.isArray(builds) && isBuildMessage(builds[0])) return describeBuild(builds[0], workspace);
  const frames = userFrames(stack, workspace);
  if (thrown.name === 'SyntaxError' && frames.length === 0) return describeSyntax(thrown, stack, workspace);
  return described('UNCAUGHT', headline(thrown), frames, workspace, causes(thrown, workspace));
}

function described(
  code: Failure['code'],
  message: string,
  frames: readonly (Position & { name: string })[],
  workspace: string,
  tail = '',
): Failure {
  const lines = frames.map((frame) => `    at ${frame.name === '' ? '' : `${frame.name} `}(${shown(frame, workspace)})`);
  const stack = [message, ...lines].join('\n') + tail;
  return { code, message: cut(message), stack: cut(stack), ...positionOf(frames[0], workspace) };
}

function headline(error: Error): string {
  const code = error.name === 'ToolError' && 'code' in error ? ` ${String(error.code)}` : '';
  const inner = error.name === 'AggregateError' && Array.isArray((error as AggregateError).errors) ? (error as AggregateError).errors : [];
  const reasons = inner.slice(0, 5).map((reason) => (reason instanceof Error ? `${reason.name}: ${reason.message}` : String(reason)));
  const message = error.message === '' ? '' : `: ${error.message}`;
  return `${error.name}${code}${message}${reasons.length === 0 ? '' : ` (${reasons.join('; ')})`}`;
}

function causes(error: Error, workspace: string): string {
  let text = '';
  let cause = error.cause;
  for (let depth = 0; depth < 3 && cause instanceof Error; depth += 1) {
    const frames = userFrames(typeof cause.stack === 'string' ? cause.stack : '', workspace);
    text += `\nCaused by: ${headline(cause)}${frames.map((frame) => `\n    at ${shown(frame, workspace)}`).join('')}`;
    cause = cause.cause;
  }
  return text;
}

/** Something else than an Error was thrown: a build or resolve message of Bun, or any value of the program's. */
function describeForeign(thrown: unknown, workspace: string): Failure {
  const message = (thrown as { message?: unknown } | null)?.message;
  const unresolved = typeof message === 'string' ? UNRESOLVED.exec(message) : null;
  if (unresolved?.[2] !== undefined) return describeUnresolved(unresolved[2], unresolved[3] ?? '', workspace);
  return { code: 'UNCAUGHT', message: cut(`The program threw ${valueText(thrown)}, which is not an Error and so carries no position.`) };
}

function valueText(value: unknown): string {
  if (typeof value === 'string') return JSON.stringify(value);
  try {
    return (typeof value === 'object' && value !== null ? JSON.stringify(value) : undefined) ?? String(value);
  } catch {
    return `a value of type ${typeof value} that cannot be shown`;
  }
}

interface BuildMessage {
  readonly message: string;
  readonly position: { readonly file: string; readonly line: number; readonly column: number } | null;
}

const isBuildMessage = (value: unknown): value is BuildMessage =>
  typeof value === 'object' && value !== null && (value as { name?: unknown }).name === 'BuildMessage' && 'position' in value;

function describeBuild(build: BuildMessage, workspace: string): Failure {
  const position = build.position ?? undefined;
  return { code: 'SYNTAX_ERROR', message: cut(build.message), ...positionOf(position, workspace) };
}

/** A SyntaxError without a frame of the program comes from loading a module: a parse error, or an import that is not exported. */
function describeSyntax(error: Error, stack: string, workspace: string): Failure {
  const missing = NO_EXPORT.exec(error.message);
  const name = missing?.[1] ?? missing?.[2];
  if (name !== undefined) {
    return { code: 'SYNTAX_ERROR', message: cut(error.message), ...positionOf(findImport(workspace, name), workspace) };
  }
  const [first = '', , ...rest] = stack.split('\n');
  const place = /^(?:file:\/\/)?(\/.+):(\d+)$/.exec(first);
  if (place?.[1] === undefined) return { code: 'SYNTAX_ERROR', message: cut(error.message) };
  const caret = rest.find((line) => /^\s*\^+\s*$/.test(line));
  const position = { file: place[1], line: Number(place[2]), column: caret === undefined ? 1 : caret.indexOf('^') + 1 };
  return { code: 'SYNTAX_ERROR', message: cut(error.message), ...positionOf(position, workspace) };
}

/** Neither runtime says where an unresolvable import stands, so the importing file is searched for the specifier. */
function describeUnresolved(specifier: string, importer: string, workspace: string): Failure {
  const file = importer.replace(/^file:\/\//, '');
  const position = findSpecifier(file, specifier, workspace);
  return { code: 'UNCAUGHT', message: cut(unresolvedAdvice(specifier, workspace)), ...positionOf(position, workspace) };
}

function unresolvedAdvice(specifier: string, workspace: string): string {
  const servers = `${workspace}/servers/`;
  const wrapper = /(?:^|\/)servers\/([^/]+)(?:\/(.+?))?(?:\.[jt]s)?$/.exec(specifier);
  if (wrapper?.[1] !== undefined) {
    const [, server, tool] = wrapper;
    const names = listNames(tool === undefined ? servers : `${servers}${server}`);
    if (tool !== undefined && names.length > 0) {
      return `Server '${server}' has no tool '${tool}'. ${nearest(tool, names)} Find tools with searchTools(query) from '/workspace/servers/discovery.js'.`;
    }
    return `There is no server '${server}'. ${nearest(server as string, listServers(servers))} List servers with listServers() from '/workspace/servers/discovery.js'.`;
  }
  if (specifier.startsWith('.') || specifier.startsWith('/')) {
    return `Cannot find module '${specifier}'. Pass the file in \`files\`, or correct the path: it is resolved below /workspace.`;
  }
  return `Cannot find package '${specifier}': the sandbox has no npm packages and no network. Use the runtime's built-in modules, a tool, or pass the code in \`files\`.`;
}

function listNames(directory: string): string[] {
  try {
    const names = readdirSync(directory).map((name) => name.replace(/\.[jt]s$/, ''));
    return names.filter((name) => !/^(?:index|_|discovery$)|\.d$/.test(name));
  } catch {
    return [];
  }
}

/** Beside the servers lies what their wrappers import, for both languages. */
function listServers(directory: string): string[] {
  return listNames(directory).filter((name) => !name.includes('.') && name !== 'runtime' && name !== 'aio');
}

function nearest(wanted: string, names: readonly string[]): string {
  if (names.length === 0) return 'No tools are connected.';
  const ranked = names.map((name) => ({ name, far: distance(wanted, name) })).sort((a, b) => a.far - b.far);
  const close = ranked.filter(({ far }) => far <= Math.max(2, wanted.length / 3)).slice(0, 3);
  const listed = (close.length > 0 ? close : ranked.slice(0, 8)).map(({ name }) => `'${name}'`).join(', ');
  return close.length > 0 ? `Did you mean ${listed}?` : `There is ${listed}${names.length > 8 ? ', …' : ''}.`;
}

/** Levenshtein, over names of bounded length. */
function distance(left: string, right: string): number {
  const a = left.slice(0, 64).toLowerCase();
  const b = right.slice(0, 64).toLowerCase();
  let row = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (let i = 1; i <= a.length; i += 1) {
    const next = [i];
    for (let j = 1; j <= b.length; j += 1) {
      const same = a[i - 1] === b[j - 1] ? 0 : 1;
      next[j] = Math.min((row[j] as number) + 1, (next[j - 1] as number) + 1, (row[j - 1] as number) + same);
    }
    row = next;
  }
  return row[b.length] as number;
}

function findSpecifier(file: string, specifier: string, workspace: string): Position | undefined {
  // Bun resolves a relative specifier before it says what it could not find.
  const candidates = [specifier, specifier.replace(`${workspace}/`, './'), specifier.split('/').at(-1) ?? specifier];
  const text = readText(file);
  for (const candidate of candidates) {
    for (const quote of ["'", '"', '`']) {
      const at = text.indexOf(candidate === specifier ? `${quote}${candidate}${quote}` : `${candidate}${quote}`);
      if (at !== -1) return { file, ...lineAndColumn(text, at) };
    }
  }
  return undefined;
}

function findImport(workspace: string, name: string): Position | undefined {
  const file = `${workspace}/main.ts`;
  const text = readText(file);
  for (const statement of text.matchAll(/\b(?:import|export)\b[^;'"]*?from/g)) {
    const at = new RegExp(`(?<![\\w$])${name.replace(/[^\w]/g, '\\$&')}(?![\\w$])`).exec(statement[0]);
    if (at !== null) return { file, ...lineAndColumn(text, statement.index + at.index) };
  }
  return undefined;
}

function readText(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return '';
  }
}

function lineAndColumn(text: string, at: number): { line: number; column: number } {
  const before = text.slice(0, at).split('\n');
  return { line: before.length, column: (before.at(-1) as string).length + 1 };
}

function userFrames(stack: string, workspace: string): (Position & { name: string })[] {
  const frames: (Position & { name: string })[] = [];
  for (const text of stack.split('\n')) {
    const match = FRAME.exec(text);
    if (match?.[2] === undefined || !isUserFile(match[2], workspace)) continue;
    const name = (match[1] ?? '').replace(/^async /, '').replace(/<anonymous>|__execution\w+/g, '');
    const line = Number(match[3]);
    frames.push({ name, file: match[2], line, column: columnOfExpression(match[2], line, Number(match[4])) });
  }
  return frames;
}

/** Bun points behind `new`, everybody else at it. */
function columnOfExpression(file: string, line: number, column: number): number {
  const before = (readText(file).split('\n', line)[line - 1] ?? '').slice(0, column - 1);
  const start = /\bnew\s+$/.exec(before);
  return start === null ? column : start.index + 1;
}

const isUserFile = (file: string, workspace: string): boolean =>
  file.startsWith(`${workspace}/`) && !file.startsWith(`${workspace}/servers/`);

const shown = (position: Position, workspace: string): string =>
  `${position.file.replace(`${workspace}/`, '')}:${position.line}:${position.column}`;

function positionOf(position: Position | undefined, workspace: string): Pick<Failure, 'line' | 'column' | 'file'> {
  if (position === undefined || !isUserFile(position.file, workspace)) return {};
  const file = position.file.slice(workspace.length + 1);
  return { line: position.line, column: position.column, ...(file === 'main.ts' ? {} : { file }) };
}

const cut = (text: string): string => (text.length > MAX_TEXT ? `${text.slice(0, MAX_TEXT)}…` : text);
