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

/**
 * What the shape of an execute request cannot say and is cheap to judge here: limits and choices with an error code of their
 * own. Executions judge the rest (files, sessions) before they write anything.
 */
export function checkExecuteRequest(request: ExecuteRequest, runtimes: readonly Runtime[]): void {
  checkLanguage(request.language, runtimes);
  const bytes = Buffer.byteLength(request.code);
  if (bytes > CODE_LIMIT_BYTES) {
    throw new AppError('CODE_TOO_LARGE', `The code has ${bytes} bytes; at most ${CODE_LIMIT_BYTES} are allowed. Put data into "args".`, {
      details: { bytes, limit: CODE_LIMIT_BYTES },
    });
  }
  refuseNul(request.code);
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

/** No source file holds a NUL, and C strings on the way would end there. In `args` it is data, and allowed. */
function refuseNul(code: string): void {
  const position = code.indexOf('\0');
  if (position >= 0) throw new AppError('INVALID_REQUEST', `There is a NUL in code at character ${position} (counted from 0); remove it.`);
}
