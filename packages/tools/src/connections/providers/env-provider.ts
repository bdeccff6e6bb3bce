import { AppError } from '@code-executor/platform';
import { printable } from '../../sources/mcp/stderr-log.ts';
import type { ValueProvider } from './value-providers.ts';

/** Variables of this name are the operator's to refer to, and nothing else of the environment is. */
const ENV_PREFIX = 'EXECUTOR_SECRET_';
/** Settings of the service that begin alike. */
const SETTINGS = new Set(['EXECUTOR_SECRET_FILES_DIR', 'EXECUTOR_SECRET_FILES_DIR_FILE', 'EXECUTOR_SECRET_CACHE_SECONDS']);

/** Values of the service's own environment, by names that begin with EXECUTOR_SECRET_, with or without that beginning. */
export function createEnvProvider(environment: Readonly<Record<string, string | undefined>>): ValueProvider {
  const names = Object.keys(environment).filter((name) => name.startsWith(ENV_PREFIX) && !SETTINGS.has(name));
  return {
    kind: 'env',
    configured: names.length > 0,
    description: `Variables of the service whose names begin with ${ENV_PREFIX}; the key is the rest of the name, such as GITHUB_TOKEN for ${ENV_PREFIX}GITHUB_TOKEN.`,
    async read(key) {
      const name = key.startsWith(ENV_PREFIX) ? key : `${ENV_PREFIX}${key}`;
      const value = names.includes(name) ? environment[name] : undefined;
      if (value === undefined || value === '')
        throw new AppError('CONNECTION_BROKEN', `The variable ${printable(name, 100)} is not set for the service; set it and restart`);
      return { value };
    },
  };
}
