import type { ExecutionEvent } from '@code-executor/contracts';

/** Above this a line of output is told in part: the whole comes with the result. */
const LINE_LIMIT = 4_000;
const LEVELS = ['debug', 'info', 'notice', 'warning', 'error', 'critical', 'alert', 'emergency'];

/** What one event is to a client that shows progress and keeps a log. */
export function describeEvent(event: ExecutionEvent): { readonly level: string; readonly logger: string; readonly message: string } | null {
  switch (event.type) {
    case 'status':
      return { level: 'debug', logger: 'execution', message: event.data.status };
    case 'output':
      return { level: 'info', logger: 'output', message: event.data.text.slice(0, LINE_LIMIT) };
    case 'tool_call': {
      const { tool, outcome, durationMs } = event.data;
      return {
        level: outcome === 'ok' ? 'info' : 'warning',
        logger: 'tools',
        message: `${tool}: ${outcome} (${Math.round(durationMs)} ms)`,
      };
    }
    default:
      return null;
  }
}

/** Levels as syslog has them, from the least to the most. */
export const isWanted = (level: string, threshold: string | null): boolean =>
  threshold !== null && LEVELS.indexOf(level) >= LEVELS.indexOf(threshold);
