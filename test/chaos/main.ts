/** npm run chaos [-- --executions 2000 --faults 30 --seed N --clients 14]. Exits with 1 where a promise does not hold. */
import { parseArgs } from 'node:util';
import { dockerAnswers } from '../support/containers.ts';
import { FAULT_KINDS } from './faults.ts';
import { failuresOf, figuresOf } from './figures.ts';
import { runChaos } from './run-chaos.ts';

const { values } = parseArgs({
  options: {
    executions: { type: 'string', default: '2000' },
    faults: { type: 'string', default: '39' },
    clients: { type: 'string', default: '14' },
    seed: { type: 'string', default: String(Date.now() % 1_000_000) },
  },
});

const say = (line: string): void => void process.stdout.write(`${line}\n`);

if (process.getuid?.() === 0) {
  say('The services do not run as root: run this as another user, who may use the Docker engine.');
  process.exit(1);
}
if (!(await dockerAnswers())) {
  say('No Docker engine answers, or it lacks the images of PostgreSQL and Redis.');
  process.exit(1);
}
const report = await runChaos({
  executions: Number(values.executions),
  faults: Number(values.faults),
  clients: Number(values.clients),
  seed: Number(values.seed),
  kinds: FAULT_KINDS,
  say,
});
say(figuresOf(report));
const failed = failuresOf(report.verdict).some(([, list]) => list.length > 0);
process.exitCode = failed ? 1 : 0;
