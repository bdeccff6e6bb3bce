import { closeOnSignal, createLogger, isAppError, messageOf } from '@code-executor/platform';
import { startGatewayService } from './service.ts';
import { readGatewayServiceConfig } from './service-config.ts';

/** BSD's sysexits: the configuration is wrong, so starting again as it is will not help. */
const EXIT_CONFIGURATION = 78;
/** Above the ten seconds and one that answers which are waited for may take; below the twenty of the compose file. */
const GRACE_MS = 16_000;

if (process.getuid?.() === 0) {
  process.stderr.write('The gateway does not run as root: it needs nothing that only root may do.\n');
  process.exit(EXIT_CONFIGURATION);
}

try {
  const config = readGatewayServiceConfig(process.env);
  const log = createLogger({ level: config.EXECUTOR_LOG_LEVEL, service: 'gateway' });
  const closables = await startGatewayService(config, log);
  closeOnSignal(closables, { log, graceMs: GRACE_MS });
} catch (error) {
  process.stderr.write(`${messageOf(error)}\n`);
  process.exit(isAppError(error, 'INVALID_REQUEST') ? EXIT_CONFIGURATION : 1);
}
