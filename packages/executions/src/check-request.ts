import { CODE_LIMIT_BYTES, type ExecuteRequest, TIMEOUT_DEFAULT_MS, TIMEOUT_MAXIMUM_MS } from '@code-executor/contracts';
import { AppError } from '@code-executor/platform';

/** Files of a program share the limit of its code: they are its code. */
const FILES_MAXIMUM = 64;
const PATH_MAXIMUM_LENGTH = 200;

export interface RequestLimits {
  readonly languages: readonly string[];
  readonly timeoutMaximumMs?: number | undefined;
  /** Whether sandboxes are kept between executions. */
  readonly keepsSessions?: boolean | undefined;
}

/**
 * What an execution needs to be accepted, beyond the shape of the request. Throws INVALID_REQUEST,
 * UNSUPPORTED_LANGUAGE or CODE_TOO_LARGE; nothing has been written by then.
 */
export function checkRequest(
  request: ExecuteRequest,
  { languages, timeoutMaximumMs = TIMEOUT_MAXIMUM_MS, keepsSessions = false }: RequestLimits,
) {
  if (!languages.includes(request.language)) {
    throw new AppError('UNSUPPORTED_LANGUAGE', `language must be one of ${languages.join(', ')}.`, { details: { languages } });
  }
  assertText('code', request.code);
  const files = request.files ?? {};
  const bytes = Object.values(files).reduce((sum, text) => sum + Buffer.byteLength(text), Buffer.byteLength(request.code));
  if (bytes > CODE_LIMIT_BYTES) {
    throw new AppError('CODE_TOO_LARGE', `code and files have ${bytes} bytes; ${CODE_LIMIT_BYTES} are allowed.`, {
      details: { bytes, limitBytes: CODE_LIMIT_BYTES },
    });
  }
  const timeoutMs = request.timeoutMs ?? Math.min(TIMEOUT_DEFAULT_MS, timeoutMaximumMs);
  if (!Number.isInteger(timeoutMs) || timeoutMs < 1 || timeoutMs > timeoutMaximumMs) {
    throw invalid('timeoutMs', `must be a whole number from 1 to ${timeoutMaximumMs}`);
  }
  if (request.sessionId !== undefined) checkSession(request, request.sessionId, keepsSessions);
  if (request.typecheck === true && request.language === 'python') throw invalid('typecheck', 'is for TypeScript only');
  checkFiles(files);
  return { timeoutMs, files, args: request.args ?? {}, typecheck: request.typecheck ?? false, sessionId: request.sessionId };
}

function checkSession({ language, typecheck }: ExecuteRequest, sessionId: string, keepsSessions: boolean): void {
  if (!keepsSessions) throw invalid('sessionId', 'cannot be used: this service keeps no sessions');
  if (!/^[A-Za-z0-9_-]{1,64}$/.test(sessionId)) throw invalid('sessionId', 'must have 1 to 64 letters, digits, _ and -');
  if (language === 'node') throw invalid('sessionId', 'cannot be used with node; typescript and python keep sessions');
  if (typecheck === true)
    throw invalid('typecheck', 'cannot be used in a session: what earlier programs declared is not known to the checker');
}

function checkFiles(files: Readonly<Record<string, string>>): void {
  const paths = Object.keys(files);
  if (paths.length > FILES_MAXIMUM) throw invalid('files', `has ${paths.length} entries; ${FILES_MAXIMUM} are allowed`);
  const folded = new Map<string, string>();
  for (const path of paths) {
    assertFilePath(`files[${JSON.stringify(path.slice(0, PATH_MAXIMUM_LENGTH))}]`, path);
    assertText(`files[${JSON.stringify(path)}]`, files[path] ?? '');
    const other = folded.get(path.toLowerCase());
    if (other !== undefined) throw invalid('files', `has ${JSON.stringify(other)} and ${JSON.stringify(path)}, which differ in case only`);
    folded.set(path.toLowerCase(), path);
  }
  for (const path of paths) {
    for (let end = path.indexOf('/'); end !== -1; end = path.indexOf('/', end + 1)) {
      const folder = path.slice(0, end);
      if (folded.has(folder.toLowerCase())) throw invalid('files', `has ${JSON.stringify(folder)} as a file and as a folder`);
    }
  }
}

/** Throws INVALID_REQUEST for what is no path of a file below /workspace that a client may write. */
export function assertFilePath(name: string, path: string): void {
  if (path.length > PATH_MAXIMUM_LENGTH) throw invalid(name, `is longer than ${PATH_MAXIMUM_LENGTH} characters`);
  if (path.startsWith('/')) throw invalid(name, 'must be relative to /workspace');
  const segments = path.split('/');
  for (const segment of segments) {
    if (segment === '' || segment === '.' || segment === '..') throw invalid(name, 'must not have empty, "." or ".." segments');
    if (!/^[\w@+,=-][\w@+,=. -]*$/.test(segment)) throw invalid(name, 'may have letters, digits and _-@+,=. in its segments');
  }
  const top = segments[0]?.toLowerCase() ?? '';
  if (top === 'servers' || top.startsWith('__') || top.startsWith('code_executor') || SHADOWING.has(top))
    throw invalid(name, 'would shadow a file of the service');
}

/** Names at the top of /workspace that the runners put there or that Python would import in place of the wrappers. */
const SHADOWING = new Set([
  'main.ts',
  'main.py',
  'servers.py',
  'servers.ts',
  'servers.js',
  'sitecustomize.py',
  'usercustomize.py',
  'bunfig.toml',
  'tsconfig.json',
  'package.json',
  'node_modules',
]);

function assertText(field: string, text: string): void {
  if (!text.isWellFormed()) throw invalid(field, 'has half of a surrogate pair, which no file can hold');
  if (text.includes('\u0000')) throw invalid(field, 'has a NUL character, which no program may have');
}

const invalid = (field: string, problem: string): AppError =>
  new AppError('INVALID_REQUEST', `${field} ${problem}.`, { details: { field } });
