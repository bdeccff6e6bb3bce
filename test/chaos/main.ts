/**
 * npm run chaos [-- --executions 2000 --faults 39 --seed N --clients 8 --part faults|refusals
 *   --kinds 'kill redis,freeze worker' --keep]
 * `--keep` leaves the logs of all services where they are. Exits with 1 where a promise does not hold.
 */
import { parseArgs } from 'node:util';
import { dockerAnswers } from '../support/containers.ts';
import { FAULT_KINDS } from './faults.ts';
import { failuresOf, figuresOf, refusalsOf } from './figures.ts';
import { runChaos } from './run-chaos.ts';
import { runRefusals } from './run-refusals.ts';

const { values } = parseArgs({
  options: {
    executions: { type: 'string', default: '2000' },
    faults: { type: 'string', default: '39' },
    clients: { type: 'string', default: '8' },
    kinds: { type: 'string', default: FAULT_KINDS.join() },
    keep: { type: 'boolean', default: false },
    part: { type: 'string', default: 'faults refusals' },
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
const seed = Number(values.seed);
const failures: string[] = [];
if (values.part.includes('faults')) {
  const report = await runChaos({
    executions: Number(values.executions),
    faults: Number(values.faults),
    clients: Number(values.clients),
    seed,
    keepLogs: values.keep,
    kinds: FAULT_KINDS.filter((kind) => values.kinds.split(',').includes(kind)),
    say,
  });
  say(figuresOf(report));
  failures.push(...failuresOf(report.verdict).flatMap(([, list]) => list));
}
if (values.part.includes('refusals')) {
  const report = await runRefusals({ seed, say });
  say(refusalsOf(report));
  failures.push(...failuresOf(report.verdict).flatMap(([, list]) => list), ...report.refusals.flatMap(({ wrong }) => wrong));
}
say(failures.length === 0 ? 'Every promise held.' : `${failures.length} promises did not hold.`);
process.exitCode = failures.length === 0 ? 0 : 1;
