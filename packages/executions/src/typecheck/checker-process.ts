/** Entry of the checking process: one request at a time over the IPC channel, until the channel closes. */
import { createProgramChecker } from './check-program.ts';
import type { CheckAnswer, CheckRequest } from './messages.ts';

const check = createProgramChecker();

process.on('message', (request: CheckRequest) => {
  process.send?.(answerTo(request));
});
process.on('disconnect', () => process.exit(0));

function answerTo(request: CheckRequest): CheckAnswer {
  try {
    return { number: request.number, ok: true, error: check(request) };
  } catch (error) {
    return { number: request.number, ok: false, reason: error instanceof Error ? error.message : String(error) };
  }
}
