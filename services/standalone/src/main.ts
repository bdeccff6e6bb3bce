import { closeOnSignal, createLogger, isAppError, messageOf } from '@code-executor/platform';
import { readStandaloneConfig } from './config.ts';
import { startStandalone } from './standalone.ts';

/** BSD's sysexits: the configuration is wrong, so starting again as it is will not help. */
const EXIT_CONFIGURATION = 78;
/** Above what the parts take one after the other (the gateway's ten seconds, PROGRAMS_GRACE_MS), and below deploy.sh's twenty. */
const GRACE_MS = 18_000;

if (process.getuid?.() === 0) {
  process.stderr.write(
    'The service does not run as root, because what it starts would be root outside of its sandbox. ./deploy.sh up drops to a user of its own.\n',
  );
  process.exit(EXIT_CONFIGURATION);
}

try {
  const config = readStandaloneConfig(process.env);
  const log = createLogger({ level: config.EXECUTOR_LOG_LEVEL, service: 'standalone' });
  const closables = await startStandalone(config, log);
  closeOnSignal(closables, { log, graceMs: GRACE_MS });
} catch (error) {
  process.stderr.write(`${messageOf(error)}\n`);
  process.exit(isAppError(error, 'INVALID_REQUEST') || isAppError(error, 'INTEGRATION_INVALID') ? EXIT_CONFIGURATION : 1);
}
