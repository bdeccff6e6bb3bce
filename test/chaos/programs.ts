import { randomBytes } from 'node:crypto';
import type { Random } from './random.ts';

/** One program of the load, and how its client asks for it. */
export interface Program {
  readonly number: number;
  readonly nonce: string;
  /** null: sent once, as most clients do. The gateway tells a worker of such a one ahead of its row's commit; of one with a key it does not. */
  readonly idempotencyKey: string | null;
  readonly language: 'typescript' | 'python';
  readonly writes: number;
  /** What it takes where nothing is in its way. */
  readonly nominalMs: number;
  /** `follow`: not waited for, its live log is read; `poll`: it is asked for. */
  readonly mode: 'wait' | 'poll' | 'follow';
  /** Sent to two gateways at once, as an impatient client does. */
  readonly twice: boolean;
  readonly body: {
    readonly language: string;
    readonly code: string;
    readonly args: object;
    readonly wait: boolean;
    readonly timeoutMs: number;
  };
}

const TIMEOUT_MS = 30_000;
const BALLAST_BYTES = 24 * 1024;

const ONE_AFTER_THE_OTHER = `
for (let sequence = 1; sequence <= args.writes; sequence += 1) {
  console.log('line', sequence);
  await tools.ledger.write({ nonce: args.nonce, sequence, slowMs: args.slowMs });
}
await new Promise((wake) => setTimeout(wake, args.sleepMs));
console.log('over');
return args.nonce;`;

const AT_ONCE = `
const write = async (_, index) => {
  console.log('line', index + 1);
  await tools.ledger.write({ nonce: args.nonce, sequence: index + 1, slowMs: args.slowMs });
};
await Promise.all(Array.from({ length: args.writes }, write));
await new Promise((wake) => setTimeout(wake, args.sleepMs));
console.log('over');
return args.nonce;`;

const PYTHON = `
import time
from servers.ledger import write
for sequence in range(1, args["writes"] + 1):
    print("line", sequence)
    write(nonce=args["nonce"], sequence=sequence, slowMs=args["slowMs"])
time.sleep(args["sleepMs"] / 1000)
print("over")
args["nonce"]`;

/** Most end within milliseconds, some take their time in the tool, some in the sandbox. */
export function drawProgram(number: number, prefix: string, random: Random): Program {
  const language = random.chance(0.35) ? 'python' : 'typescript';
  const code = language === 'python' ? PYTHON : random.pick([ONE_AFTER_THE_OTHER, ONE_AFTER_THE_OTHER, AT_ONCE]);
  const mode = random.pick(['wait', 'wait', 'poll', 'follow'] as const);
  const writes = random.between(0, 3);
  const nonce = `${prefix}-${number}`;
  const slowMs = random.chance(0.15) ? random.between(200, 1_500) : 0;
  const sleepMs = random.chance(0.25) ? random.between(100, 2_500) : 0;
  const nominalMs = writes * slowMs + sleepMs;
  const args = { nonce, writes, slowMs, sleepMs };
  const keyed = random.chance(0.5);
  return describe({ number, nonce, language, writes, nominalMs, mode, twice: keyed && random.chance(0.2), keyed, code, args });
}

/** One write and nothing else: it succeeds only where all of the fleet works. With a key, and without one in turn. */
export function probeProgram(number: number, prefix: string): Program {
  const nonce = `${prefix}-probe-${number}`;
  const args = { nonce, writes: 1, slowMs: 0, sleepMs: 0 };
  return describe({
    number,
    nonce,
    language: 'typescript',
    writes: 1,
    nominalMs: 0,
    mode: 'wait',
    twice: false,
    keyed: number % 2 === 0,
    code: ONE_AFTER_THE_OTHER,
    args,
  });
}

/** The same, not waited for, with as much beside it as no page of a table has left. */
export function heavyProgram(number: number, prefix: string): Program {
  const program = probeProgram(number, `${prefix}-heavy`);
  const idempotencyKey = `key-${program.nonce}`;
  const ballast = randomBytes(BALLAST_BYTES).toString('base64');
  return { ...program, idempotencyKey, mode: 'poll', body: { ...program.body, wait: false, args: { ...program.body.args, ballast } } };
}

function describe(
  drawn: Omit<Program, 'body' | 'idempotencyKey'> & { readonly keyed: boolean; readonly code: string; readonly args: object },
): Program {
  const { keyed, code, args, ...program } = drawn;
  const body = { language: program.language, code, args, wait: program.mode === 'wait', timeoutMs: TIMEOUT_MS };
  return { ...program, idempotencyKey: keyed ? `key-${program.nonce}` : null, body };
}
