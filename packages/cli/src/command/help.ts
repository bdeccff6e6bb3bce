import { columns } from '../terminal/columns.ts';
import type { Command, Option } from './command.ts';
import { GLOBAL_OPTIONS } from './parse-words.ts';

const GROUPS: readonly (readonly [string, readonly string[]])[] = [
  ['Work', ['run', 'call', 'tools', 'executions', 'resume', 'sessions', 'skills']],
  ['Govern', ['add', 'integrations', 'connections', 'policies', 'approvals', 'audit', 'keys', 'workspaces']],
  ['Reach', ['server', 'login', 'logout', 'whoami', 'health', 'connect', 'mcp', 'generate', 'completion']],
  ['Run the service here', ['up', 'down', 'status', 'logs', 'doctor', 'service']],
];

/** What `executor --help` says. */
export function helpOfAll(commands: readonly Command[]): string {
  const shown = commands.filter(({ hidden }) => hidden !== true);
  const parts = GROUPS.map(([title, names]) => {
    const rows = names.flatMap((name) => rowOf(name, shown));
    return rows.length === 0 ? '' : `${title}\n${columns(rows, 2)}`;
  });
  return [
    'usage: executor <command> [options]',
    'Run programs in fresh sandboxes, call tools from code, decide what agents may do.',
    ...parts.filter((part) => part !== ''),
    `Options of every command\n${columns(optionRows(GLOBAL_OPTIONS), 2)}`,
    "'executor <command> --help' shows each with an example; 'executor call --help' browses the tools.",
  ].join('\n\n');
}

/** A command of its own, or the first word of several. */
function rowOf(name: string, commands: readonly Command[]): string[][] {
  const own = commands.find((command) => command.name === name);
  const below = commands.filter((command) => command.name.startsWith(`${name} `));
  if (own !== undefined && below.length === 0) return [[name, own.summary]];
  if (below.length === 0) return [];
  const verbs = below.map((command) => command.name.slice(name.length + 1)).join(', ');
  return [[name, own === undefined ? verbs : `${own.summary}; ${verbs}`]];
}

/** What `executor approvals --help` says. */
export function helpOfGroup(path: string, commands: readonly Command[]): string {
  const below = commands.filter(({ name, hidden }) => (name === path || name.startsWith(`${path} `)) && hidden !== true);
  const [first] = below;
  return [
    `usage: executor ${path} <command> [options]`,
    columns(
      below.map(({ name, words, summary }) => [`${name}${words === undefined ? '' : ` ${words}`}`, summary]),
      2,
    ),
    first === undefined ? '' : `Example\n  ${first.examples[0]}`,
  ]
    .filter((part) => part !== '')
    .join('\n\n');
}

export function usageOf({ name, words, options }: Command): string {
  const own = Object.keys(options ?? {}).length === 0 ? '' : ' [options]';
  return `usage: executor ${name}${words === undefined ? '' : ` ${words}`}${own}`;
}

export function helpOf(command: Command): string {
  const { summary, details, options, examples } = command;
  const rows = optionRows(options ?? {});
  return [
    `${usageOf(command)}\n${summary}.`,
    details ?? '',
    rows.length === 0 ? '' : `Options\n${columns(rows, 2)}`,
    `Options of every command\n${columns(optionRows(GLOBAL_OPTIONS), 2)}`,
    `Examples\n${examples.map((example) => `  ${example}`).join('\n')}`,
  ]
    .filter((part) => part !== '')
    .join('\n\n');
}

const optionRows = (options: Readonly<Record<string, Option>>): string[][] =>
  Object.entries(options).map(([name, { short, value, help, type }]) => [
    `${short === undefined ? '' : `-${short}, `}--${name}${type === 'string' ? ` ${value ?? 'TEXT'}` : ''}`,
    help,
  ]);
