import { CODE_LIMIT_BYTES, type ExecuteRequest, type Runtime } from '@code-executor/contracts';
import { AppError, nearest } from '@code-executor/platform';

/** What other tools call our languages; too far for the nearest spelling. */
const ALIASES: Readonly<Record<string, Runtime>> = {
  js: 'typescript',
  javascript: 'typescript',
  ts: 'typescript',
  bun: 'typescript',
  tsx: 'node',
  nodejs: 'node',
  py: 'python',
  python3: 'python',
};

/** What the shape of an execute request cannot say: limits and choices with an error code of their own. */
export function checkExecuteRequest(request: ExecuteRequest, runtimes: readonly Runtime[]): void {
  checkLanguage(request.language, runtimes);
  const bytes = Buffer.byteLength(request.code);
  if (bytes > CODE_LIMIT_BYTES) {
    throw new AppError(
      'CODE_TOO_LARGE',
      `The code has ${bytes} bytes; at most ${CODE_LIMIT_BYTES} are allowed. Put data into "files" or "args".`,
      { details: { bytes, limit: CODE_LIMIT_BYTES } },
    );
  }
  refuseNul('code', request.code);
  if (request.sessionId !== undefined) refuseNul('sessionId', request.sessionId);
  for (const name of Object.keys(request.files ?? {})) refuseNul('a name in files', name);
  if (request.typecheck === true && request.language === 'python') {
    throw new AppError('INVALID_REQUEST', 'Field "typecheck" is for TypeScript only; leave it out for python.');
  }
}

function checkLanguage(language: string, runtimes: readonly Runtime[]): void {
  if (runtimes.some((runtime) => runtime === language)) return;
  const alias = ALIASES[language.toLowerCase()];
  const meant = alias !== undefined && runtimes.includes(alias) ? alias : nearest(language.toLowerCase(), runtimes);
  const hint = meant === null ? '' : ` Did you mean "${meant}"?`;
  throw new AppError(
    'UNSUPPORTED_LANGUAGE',
    `There is no language ${JSON.stringify(language.slice(0, 50))}; there are ${runtimes.join(', ')}.${hint}`,
    { details: { languages: runtimes } },
  );
}

/** No source file holds a NUL, and C strings on the way would end there. In `args` and the content of files it is data, and allowed. */
function refuseNul(field: string, text: string): void {
  const position = text.indexOf('\0');
  if (position >= 0)
    throw new AppError('INVALID_REQUEST', `There is a NUL in ${field} at character ${position} (counted from 0); remove it.`);
}
