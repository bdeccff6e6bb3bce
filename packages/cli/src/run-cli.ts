import { type Command, type Handler, type Invocation, UsageError } from './command/command.ts';
import { createContext } from './command/create-context.ts';
import { helpOf, helpOfAll, helpOfGroup, usageOf } from './command/help.ts';
import { nearest } from './command/nearest.ts';
import { type Found, findCommand, parseWords } from './command/parse-words.ts';
import { COMMANDS } from './commands.ts';
import { EXIT } from './exit-codes.ts';
import type { Terminal } from './terminal/terminal.ts';

/** One call of `executor`: answers its exit code and throws nothing. */
export async function runCli(argv: readonly string[], terminal: Terminal): Promise<number> {
  const found = findCommand(argv, COMMANDS);
  const { command, after } = found;
  if (command === null) return withoutCommand(argv, found, terminal);
  let invocation: Invocation;
  try {
    invocation = parseWords(command, after);
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    return misused(error, command, terminal);
  }
  const asksHelp = invocation.options.help === true || (command.openAfter === 0 && /^(--help|-h)$/m.test(invocation.rest.join('\n')));
  if (asksHelp && command.name !== 'call') {
    terminal.out(`${helpOf(command)}\n`);
    return EXIT.done;
  }
  return perform(command, invocation, terminal);
}

async function perform(command: Command, invocation: Invocation, terminal: Terminal): Promise<number> {
  const interrupt = new AbortController();
  const forget = terminal.onInterrupt(() => interrupt.abort(new DOMException('interrupted', 'AbortError')));
  const context = createContext(terminal, invocation, interrupt.signal);
  try {
    const handler: Handler = await command.load();
    return (await handler(context, invocation)) ?? EXIT.done;
  } catch (error) {
    if (error instanceof UsageError) return misused(error, command, terminal);
    if (interrupt.signal.aborted) return EXIT.interrupted;
    const { reportFailure } = await import('./report-failure.ts');
    return reportFailure(error, context);
  } finally {
    forget();
  }
}

function misused(error: UsageError, command: Command, terminal: Terminal): number {
  terminal.err(`${terminal.paint('red', 'error:', 'err')} ${error.message}\n${usageOf(command)}\n  such as: ${command.examples[0]}\n`);
  return EXIT.usage;
}

function withoutCommand(argv: readonly string[], { path, words }: Found, terminal: Terminal): number {
  if (argv.includes('--version')) {
    terminal.out(`${createContext(terminal, { command: '', words: [], options: {}, rest: [] }, new AbortController().signal).version}\n`);
    return EXIT.done;
  }
  const asksHelp = words[0] === 'help';
  if (words.length === 0 || asksHelp || ((argv.includes('--help') || argv.includes('-h')) && words.join(' ') === path)) {
    return help(asksHelp ? argv.slice(argv.indexOf('help') + 1).join(' ') : path, terminal);
  }
  const typed = words.join(' ');
  const known = COMMANDS.filter(({ hidden }) => hidden !== true).map(({ name }) => name);
  const firsts = [...new Set(known.map((name) => name.split(' ')[0] ?? name))];
  const near = nearest(typed, known) ?? (path === '' ? nearest(typed, firsts) : null);
  const mistake =
    typed === path || typed === '' ? `'${typed === '' ? argv[0] : path}' is no whole command.` : `There is no command '${typed}'.`;
  const hint = near === null ? '' : ` Did you mean '${near}'?`;
  const more = path === '' ? "'executor --help' lists the commands." : helpOfGroup(path, COMMANDS);
  terminal.err(`${terminal.paint('red', 'error:', 'err')} ${mistake}${hint}\n${more}\n`);
  return EXIT.usage;
}

function help(asked: string, terminal: Terminal): number {
  const exact = COMMANDS.find(({ name }) => name === asked);
  const begins = COMMANDS.some(({ name }) => name.startsWith(`${asked} `));
  terminal.out(`${exact !== undefined ? helpOf(exact) : begins ? helpOfGroup(asked, COMMANDS) : helpOfAll(COMMANDS)}\n`);
  return EXIT.done;
}
