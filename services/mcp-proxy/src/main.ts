import { closeOnSignal, createLogger, isAppError, messageOf } from '@code-executor/platform';
import { readProxyConfig } from './config.ts';
import { startMcpProxy } from './mcp-proxy.ts';

/** BSD's sysexits: the configuration is wrong, so starting again as it is will not help. */
const EXIT_CONFIGURATION = 78;
/** What parts take after the calls under way have had their time: servers are stopped within three seconds each, side by side. */
const CLOSING_MS = 8_000;

if (process.getuid?.() === 0) {
  process.stderr.write('The MCP proxy does not run as root, because the servers it starts would be root outside of their sandboxes.\n');
  process.exit(EXIT_CONFIGURATION);
}
try {
  const config = readProxyConfig(process.env);
  const log = createLogger({ level: config.EXECUTOR_LOG_LEVEL, service: 'mcp-proxy' });
  const closables = await startMcpProxy(config, log);
  closeOnSignal(closables, { log, graceMs: config.EXECUTOR_DRAIN_SECONDS * 1_000 + CLOSING_MS });
} catch (error) {
  process.stderr.write(`${messageOf(error)}\n`);
  process.exit(isAppError(error, 'INVALID_REQUEST') || isAppError(error, 'INTEGRATION_INVALID') ? EXIT_CONFIGURATION : 1);
}
