// wait-until-ready.ts URL PID TIMEOUT_SECONDS: waits for GET /health/ready to answer 200, showing what it waits for.
// Exits 0 when ready, 3 as soon as the process is gone, 4 when the time is up.
import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { askService, reasonOf } from './ask-service.ts';

const POLL_MS = 150;
const [url = '', pid = '', timeoutSeconds = '120'] = process.argv.slice(2);
const startedAt = performance.now();
const seconds = () => Math.round((performance.now() - startedAt) / 1000);
process.exitCode = await waitUntilReady();

async function waitUntilReady(): Promise<number> {
  let shown = '';
  for (let turn = 0; seconds() < Number(timeoutSeconds); turn += 1) {
    const answer = await askService(`${url}/health/ready`, 5_000);
    // Only the process that was started counts: another program may answer on the port.
    if (!isAlive()) return finish(3);
    if (answer?.status === 200)
      return finish(0, turn === 0 ? '' : `✓ Ready after ${((performance.now() - startedAt) / 1000).toFixed(1)} s\n`);
    const reason = answer === null ? 'starting' : reasonOf(answer);
    shown = show(turn, reason, shown);
    await sleep(POLL_MS);
  }
  return finish(4, `✗ Not ready: ${shown}\n`);
}

/** On a terminal one line that turns; elsewhere a line whenever the reason changes. */
function show(turn: number, reason: string, shown: string): string {
  if (process.stdout.isTTY) process.stdout.write(`\r\x1b[K${'|/-\\'[turn % 4]} Not ready yet: ${reason.slice(0, 100)} (${seconds()} s)`);
  else if (reason !== shown) process.stdout.write(`Not ready yet: ${reason} …\n`);
  return reason;
}

function finish(exitCode: number, line = ''): number {
  process.stdout.write(`${process.stdout.isTTY ? '\r\x1b[K' : ''}${line}`);
  return exitCode;
}

/** A process that has ended but that its parent has not buried yet (Z) is gone for us. */
function isAlive(): boolean {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    return stat.slice(stat.lastIndexOf(')') + 2, stat.lastIndexOf(')') + 3) !== 'Z';
  } catch {
    return false;
  }
}
