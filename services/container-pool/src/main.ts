import { closeOnSignal, createLogger, isAppError, messageOf } from '@code-executor/platform';
import { readContainerPoolConfig } from './config.ts';
import { startContainerPool } from './container-pool.ts';

/** BSD's sysexits: the configuration is wrong, so starting again as it is will not help. */
const EXIT_CONFIGURATION = 78;
const CLOSING_MS = 20_000;

if (process.getuid?.() === 0) {
  process.stderr.write('The service that makes containers does not run as root: the group of the engine’s socket is all that it needs.\n');
  process.exit(EXIT_CONFIGURATION);
}

try {
  const config = readContainerPoolConfig(process.env);
  const log = createLogger({ level: config.EXECUTOR_LOG_LEVEL, service: 'container-pool' });
  const closables = await startContainerPool(config, log);
  closeOnSignal(closables, { log, graceMs: CLOSING_MS });
} catch (error) {
  process.stderr.write(`${messageOf(error)}\n`);
  process.exit(isAppError(error, 'INVALID_REQUEST') ? EXIT_CONFIGURATION : 1);
}
