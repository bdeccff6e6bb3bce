import { execFile } from 'node:child_process';
import { accessSync, constants, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { openShell } from './support/cli.ts';

let directory: string;
let scripts: Record<'bash' | 'zsh' | 'fish', string>;
const run = promisify(execFile);

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'shells-'));
  const { executor } = openShell(directory, {});
  const written = await Promise.all(
    (['bash', 'zsh', 'fish'] as const).map(async (shell) => {
      const { code, out, err } = await executor(['completion', shell]);
      expect([code, err]).toEqual([0, '']);
      const file = join(directory, `completion.${shell}`);
      writeFileSync(file, out);
      return [shell, file];
    }),
  );
  scripts = Object.fromEntries(written) as typeof scripts;
});
afterAll(() => rmSync(directory, { recursive: true, force: true }));

const isInstalled = (command: string): boolean =>
  (process.env.PATH ?? '').split(delimiter).some((path) => {
    try {
      accessSync(join(path, command), constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });

/** What each shell, with the script loaded as its users load it, offers behind these words. */
const offers = {
  async bash(line: readonly string[]): Promise<string[]> {
    const words = line.map((word) => `'${word}'`).join(' ');
    const script = `. ${scripts.bash}; complete -p executor >/dev/null; COMP_WORDS=(${words}); COMP_CWORD=${line.length - 1}; _executor; printf '%s\\n' "\${COMPREPLY[@]}"`;
    return lines(await run('bash', ['--norc', '-euc', script], { cwd: directory }));
  },
  async zsh(line: readonly string[]): Promise<string[]> {
    const words = line.map((word) => `'${word}'`).join(' ');
    // compadd works within a terminal's completion alone: what it is given is what would be shown.
    const script = `autoload -Uz compinit && compinit -D -u; . ${scripts.zsh}; [[ $_comps[executor] == _executor ]] || exit 9; compadd() { print -l -- "\${@:2}" }; _files() { print FILES }; words=(${words}); CURRENT=${line.length}; _executor`;
    const all = lines(await run('zsh', ['-f', '-c', script], { cwd: directory }));
    return all.filter((word) => word.startsWith(line.at(-1) ?? ''));
  },
  async fish(line: readonly string[]): Promise<string[]> {
    const script = `source ${scripts.fish}; complete -C '${line.join(' ')}'`;
    return lines(await run('fish', ['--no-config', '-c', script], { cwd: directory, env: { ...process.env, HOME: directory } }));
  },
};
const lines = ({ stdout }: { stdout: string }): string[] => stdout.split('\n').filter(Boolean).sort();

for (const shell of ['bash', 'zsh', 'fish'] as const) {
  const here = isInstalled(shell) ? test : test.skip;
  here(`${shell} completes commands, their words and their options`, async () => {
    const offer = offers[shell];
    expect(await offer(['executor', 'appr'])).toEqual(['approvals']);
    expect(await offer(['executor', 'approvals', 'd'])).toEqual(['deny']);
    expect(await offer(['executor', 'approvals', ''])).toEqual(['approve', 'deny', 'list', 'show', 'watch']);
    // Options before the words do not count.
    expect(await offer(['executor', '--json', 'service', ''])).toEqual(['install', 'status', 'uninstall']);
    expect(await offer(['executor', 'run', '--time'])).toEqual(['--timeout']);
    expect(await offer(['executor', 'policies', 'preview', '--js'])).toEqual(['--json']);
  });

  here(`${shell} offers files where a command takes them`, async () => {
    writeFileSync(join(directory, 'zzz-program.ts'), '');
    const offered = await offers[shell](['executor', 'run', '']);
    // bash asks for file names itself where nothing of ours begins like the word.
    expect(offered.some((word) => word === 'FILES' || word.includes('zzz-program') || shell === 'bash')).toBe(true);
    expect(await offers[shell](['executor', ''])).not.toContain('zzz-program.ts');
  });
}
