import { closeOnSignal, createLogger, isAppError, messageOf } from '@code-executor/platform';
import { readWorkerConfig } from './config.ts';
import { startWorker } from './worker.ts';

/** BSD's sysexits: the configuration is wrong, so starting again as it is will not help. */
const EXIT_CONFIGURATION = 78;
/** After the drain: the ends of what was stopped are written, connections and sandboxes closed. */
const CLOSING_MS = 10_000;

if (process.getuid?.() === 0) {
  process.stderr.write('The worker does not run as root, because what it starts would be root outside of its sandbox.\n');
  process.exit(EXIT_CONFIGURATION);
}

try {
  const config = readWorkerConfig(process.env);
  const log = createLogger({ level: config.EXECUTOR_LOG_LEVEL, service: 'worker' });
  const closables = await startWorker(config, log);
  closeOnSignal(closables, { log, graceMs: config.EXECUTOR_DRAIN_SECONDS * 1_000 + CLOSING_MS });
} catch (error) {
  process.stderr.write(`${messageOf(error)}\n`);
  process.exit(isAppError(error, 'INVALID_REQUEST') ? EXIT_CONFIGURATION : 1);
}
