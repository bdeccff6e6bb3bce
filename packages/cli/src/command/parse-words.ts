import { parseArgs } from 'node:util';
import { type Command, type Invocation, type Option, UsageError } from './command.ts';
import { nearest } from './nearest.ts';

export const GLOBAL_OPTIONS: Readonly<Record<string, Option>> = {
  json: { type: 'boolean', help: 'Answer as JSON' },
  server: { type: 'string', value: 'NAME', help: "The service of this name (see 'executor server list')" },
  url: { type: 'string', value: 'URL', help: 'The service at this address (also EXECUTOR_URL)' },
  'key-file': {
    type: 'string',
    value: 'FILE',
    help: 'Read the API key from this file, - for the standard input (also EXECUTOR_KEY_FILE, EXECUTOR_KEY)',
  },
  help: { type: 'boolean', short: 'h', help: 'What this command does, with an example' },
  version: { type: 'boolean', help: 'The version of this CLI' },
};

export interface Found {
  readonly command: Command | null;
  /** Words that call the command, or begin some. */
  readonly path: string;
  /** Those, and the one that fits nothing. */
  readonly words: readonly string[];
  readonly after: readonly string[];
}

/** The command whose name is the longest that the words begin with; options may stand before and between the words of its name. */
export function findCommand(argv: readonly string[], commands: readonly Command[]): Found {
  const leading: string[] = [];
  const words: string[] = [];
  let found: Found = { command: null, path: '', words: [], after: argv };
  for (let at = 0; at < argv.length; at += 1) {
    const word = argv[at] ?? '';
    if (word === '--') break;
    if (word.startsWith('-') && word !== '-') {
      leading.push(word);
      if (takesValue(word) && at + 1 < argv.length) {
        at += 1;
        leading.push(argv[at] ?? '');
      }
      continue;
    }
    words.push(word);
    const path = words.join(' ');
    const command = commands.find(({ name }) => name === path) ?? null;
    if (command === null && !commands.some(({ name }) => name.startsWith(`${path} `))) {
      return found.command === null ? { ...found, words } : found;
    }
    found = { command, path, words: [...words], after: [...leading, ...argv.slice(at + 1)] };
  }
  // `executor approvals` is `executor approvals list`.
  const listed =
    found.command === null && found.words.length === 1 ? commands.find(({ name }) => name === `${found.path} list`) : undefined;
  const asksHelp = found.after.some((word) => word === '--help' || word === '-h');
  return listed === undefined || asksHelp ? found : { ...found, command: listed };
}

const takesValue = (word: string): boolean => !word.includes('=') && GLOBAL_OPTIONS[word.replace(/^-+/, '')]?.type === 'string';

/** @throws UsageError naming what does not fit, and the nearest that does. */
export function parseWords(command: Command, after: readonly string[]): Invocation {
  const known = { ...GLOBAL_OPTIONS, ...command.options };
  const [own, rest] = split(after, command, known);
  const tokens = parse(own, known);
  const words = tokens.positionals;
  const needed = (command.words ?? '').split(' ').filter((word) => word.startsWith('<'));
  const allowed = (command.words ?? '').split(' ').filter((word) => /^[<[]/.test(word));
  const wantsHelp = tokens.values.help === true;
  if (words.length < needed.length && !wantsHelp) throw new UsageError(`${needed[words.length]} is missing.`);
  if (words.length > allowed.length && !(command.words ?? '').endsWith('…')) {
    throw new UsageError(
      `${JSON.stringify(words[allowed.length])} is too much: ${allowed.length === 0 ? 'nothing' : `only ${allowed.join(' ')}`} follows '${command.name}'.`,
    );
  }
  return { command: command.name, words, options: tokens.values, rest };
}

/** Where a command is open, what follows its first words is not ours to read. */
function split(
  after: readonly string[],
  { openAfter, closedFor }: Command,
  known: Readonly<Record<string, Option>>,
): [readonly string[], readonly string[]] {
  if (openAfter === undefined) return [after, []];
  let words = 0;
  for (let at = 0; at < after.length; at += 1) {
    const word = after[at] ?? '';
    if (words === openAfter) return [after.slice(0, at), after.slice(at)];
    if (words === 0 && closedFor?.test(word) === true) return [after, []];
    if (!word.startsWith('-') || word === '-') words += 1;
    else if (!word.includes('=') && optionOf(word.replace(/^-+/, ''), known)?.type === 'string') at += 1;
  }
  return [after, []];
}

const optionOf = (name: string, known: Readonly<Record<string, Option>>): Option | undefined =>
  known[name] ?? Object.values(known).find(({ short }) => short === name);

function parse(args: readonly string[], known: Readonly<Record<string, Option>>) {
  try {
    return parseArgs({
      args: [...args],
      allowPositionals: true,
      strict: true,
      options: Object.fromEntries(
        Object.entries(known).map(([name, { type, short, multiple }]) => [
          name,
          { type, ...(short === undefined ? {} : { short }), ...(multiple === undefined ? {} : { multiple }) },
        ]),
      ),
    });
  } catch (error) {
    throw new UsageError(sentenceOf(error, known));
  }
}

function sentenceOf(error: unknown, known: Readonly<Record<string, Option>>): string {
  const message = error instanceof Error ? error.message : String(error);
  const [, unknown] = /Unknown option '(-+[^']*)'/.exec(message) ?? [];
  if (unknown !== undefined) {
    const near = nearest(unknown.replace(/^-+/, ''), Object.keys(known));
    return `There is no option ${unknown} here.${near === null ? '' : ` Did you mean --${near}?`}`;
  }
  return `${
    message
      .replace(/^Option '([^']+?)(?: <value>)?' /, '$1 ')
      .split('. ')[0]
      ?.replace(/\.$/, '') ?? message
  }.`;
}
