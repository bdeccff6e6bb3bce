import { execFile } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import { helpOf, helpOfAll } from './command/help.ts';
import { nearest } from './command/nearest.ts';
import { findCommand, parseWords } from './command/parse-words.ts';
import { COMMANDS } from './commands.ts';
import { JSON_SCHEMAS } from './json-schemas.ts';
import { runCli } from './run-cli.ts';
import type { Terminal } from './terminal/terminal.ts';

const bin = fileURLToPath(new URL('../bin/executor.js', import.meta.url));

/** A shell's view of one call, without a process. */
async function call(...argv: string[]): Promise<{ code: number; out: string; err: string }> {
  let out = '';
  let err = '';
  const terminal: Terminal = {
    env: { HOME: '/nonexistent', EXECUTOR_URL: 'http://127.0.0.1:1' },
    isInteractive: false,
    errorIsTerminal: false,
    out: (text) => {
      out += String(text);
    },
    err: (text) => {
      err += text;
    },
    paint: (_colour, text) => text,
    readStdin: () => '',
    onInterrupt: () => () => undefined,
  };
  return { code: await runCli(argv, terminal), out, err };
}

test.each(COMMANDS.map((command) => [command.name, command] as const))(
  '%s has a help with examples that its own parser takes',
  async (name, command) => {
    expect(command.examples.length).toBeGreaterThan(0);
    const help = await call(...name.split(' '), ...(name === 'call' ? [] : ['--help']));
    if (name !== 'call') expect([help.code, help.out]).toEqual([0, `${helpOf(command)}\n`]);
    expect(helpOf(command)).toContain(command.examples[0]);
    for (const example of command.examples) {
      const words = shellWords(example).slice(1);
      const found = findCommand(words, COMMANDS);
      expect([example, found.command?.name]).toEqual([example, name]);
      expect(() => parseWords(command, found.after), example).not.toThrow();
    }
    await expect(command.load()).resolves.toBeTypeOf('function');
  },
);

test('the help names every command, and every own shape of --json has a schema', () => {
  const help = helpOfAll(COMMANDS);
  for (const { name, json } of COMMANDS) {
    expect(help).toContain(name.split(' ')[0]);
    if (json !== undefined && 'schema' in json) expect(Object.keys(JSON_SCHEMAS), name).toContain(json.schema);
  }
});

test.each([
  [['rnu'], /There is no command 'rnu'\. Did you mean 'run'\?/],
  [['approvals', 'aprove', 'apr_1'], /Did you mean 'approvals approve'\?/],
  [['run'], /<file\|-> is missing[\s\S]*usage: executor run[\s\S]*such as: executor run/],
  [['run', 'a.ts', 'b.ts'], /"b\.ts" is too much/],
  [['run', '--tiemout', '3s', 'a.ts'], /There is no option --tiemout here\. Did you mean --timeout\?/],
  [['run', '/nonexistent/a.ts'], /cannot be read/],
  [['run', 'a.rb'], /language of a\.rb is not known/],
  [['policies', 'add', 'x.*', 'alow'], /<action> takes allow, require_approval, block, limit/],
  [['keys', 'create', 'k', '--expires', 'soon'], /--expires "soon" is no time/],
  [['server', 'add', 'x', 'http://user:pass@host'], /must not carry credentials/],
  [['--url', 'ftp://x', 'health'], /is no address/],
  [['--url', 'http://x', '--server', 'y', 'health'], /exclude each other/],
  [['connect', 'emacs'], /There are claude-code/],
])('%j is answered with the usage and what was meant, and exit code 2', async (argv, expected) => {
  const { code, out, err } = await call(...argv);
  expect([code, out]).toEqual([2, '']);
  expect(err).toMatch(expected);
});

test('options stand before or behind an address, and belong to a command that is added where they stand behind it', () => {
  const add = COMMANDS.find(({ name }) => name === 'add');
  const parsed = (...words: string[]) => add && parseWords(add, words);
  expect(parsed('https://x/openapi.json', '--name', 'x', '--json')).toMatchObject({
    words: ['https://x/openapi.json'],
    options: { name: 'x', json: true },
  });
  expect(parsed('-n', 'x', 'npx', '-y', 'server', '--json')).toMatchObject({
    words: ['npx'],
    options: { name: 'x' },
    rest: ['-y', 'server', '--json'],
  });
});

test('a service that is not there is exit code 3, also as JSON', async () => {
  const { code, err } = await call('health');
  expect([code, err]).toEqual([
    3,
    expect.stringMatching(/^error: NETWORK_ERROR: No answer from http:\/\/127\.0\.0\.1:1[\s\S]*'executor up'/),
  ]);
  const json = await call('health', '--json');
  expect([json.code, JSON.parse(json.err).error.code]).toEqual([3, 'NETWORK_ERROR']);
});

test('a nearest word is near, or there is none', () => {
  expect(nearest('tols', ['tools', 'call'])).toBe('tools');
  expect(nearest('swap', ['sawp'])).toBe('sawp');
  expect(nearest('elephant', ['tools', 'call'])).toBeNull();
});

test('it starts without loading what it does not need', async () => {
  // What is loaded decides the start; a figure in milliseconds would only measure the machine.
  const script = `const { registerHooks } = await import('node:module'); let count = 0;
    registerHooks({ load(url, context, next) { if (!url.startsWith('node:')) count += 1; return next(url, context); } });
    process.on('exit', () => process.stderr.write(String(count)));
    process.argv.splice(1, 0, 'executor'); process.argv = [process.argv[0], 'executor', '--version'];
    await import(${JSON.stringify(`file://${bin}`)});`;
  const { stdout, stderr } = await promisify(execFile)(process.execPath, ['--input-type=module', '-e', script], { timeout: 60_000 });
  expect(stdout).toMatch(/^\d+\.\d+\.\d+\n$/);
  expect(Number(stderr)).toBeLessThan(40);
});

test('no command loads a package at its start', () => {
  const root = fileURLToPath(new URL('.', import.meta.url));
  const specs = readdirSync(root, { recursive: true, encoding: 'utf8' }).filter((path) => path.endsWith('commands.ts'));
  expect(specs.length).toBeGreaterThan(8);
  for (const path of [...specs, 'main.ts', 'run-cli.ts', 'command/create-context.ts']) {
    const imports = [...readFileSync(`${root}/${path}`, 'utf8').matchAll(/^import (?!type)[^;]*from '([^']+)'/gm)].map(([, from]) => from);
    expect(
      imports.filter((from) => !/^(node:|\.)/.test(from ?? '')),
      path,
    ).toEqual([]);
  }
});

/** As a shell splits a line, as far as examples go: quotes, pipes and redirections. */
function shellWords(line: string): string[] {
  const command = line.slice(line.indexOf('executor ')).split(/ [|<>] /)[0] ?? line;
  return [...command.matchAll(/'([^']*)'|(\S+)/g)].map(([, quoted, bare]) => quoted ?? bare ?? '');
}
