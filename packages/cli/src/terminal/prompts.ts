import { createInterface } from 'node:readline/promises';
import { Writable } from 'node:stream';
import { UsageError } from '../command/command.ts';
import type { Terminal } from './terminal.ts';

/** One line of text. @throws UsageError where nobody is there to answer. */
export async function askText(terminal: Terminal, question: string, signal: AbortSignal, fallback = ''): Promise<string> {
  const answer = await ask(terminal, `${question}${fallback === '' ? '' : ` [${fallback}]`}: `, signal, false);
  return answer.trim() === '' ? fallback : answer.trim();
}

/** A line that is not shown while it is typed. */
export async function askSecret(terminal: Terminal, question: string, signal: AbortSignal): Promise<string> {
  const secret = (await ask(terminal, `${question} (not shown): `, signal, true)).trim();
  terminal.err('\n');
  if (secret === '') throw new UsageError('Nothing was typed.');
  return secret;
}

/** One of the choices; asked again until it is one. */
export async function askChoice<Choice extends string>(
  terminal: Terminal,
  question: string,
  choices: readonly Choice[],
  signal: AbortSignal,
): Promise<Choice> {
  for (;;) {
    const answer = (await ask(terminal, `${question} (${choices.join('/')}): `, signal, false)).trim().toLowerCase();
    const choice = choices.find((name) => name.toLowerCase() === answer);
    if (choice !== undefined) return choice;
  }
}

async function ask(terminal: Terminal, question: string, signal: AbortSignal, hidden: boolean): Promise<string> {
  if (!terminal.isInteractive) throw new UsageError(`Nobody is there to ask: ${question.replace(/[: ]+$/, '')}. Give it by an option.`);
  terminal.err(question);
  // What readline would echo goes nowhere while a secret is typed.
  const nowhere = new Writable({ write: (_chunk, _encoding, done) => done() });
  const lines = createInterface({ input: process.stdin, output: hidden ? nowhere : process.stderr, terminal: true });
  // In raw mode Ctrl-C is a key.
  lines.on('SIGINT', () => process.kill(process.pid, 'SIGINT'));
  try {
    return await lines.question('', { signal });
  } finally {
    lines.close();
  }
}
