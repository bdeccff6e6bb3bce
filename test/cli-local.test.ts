import { execFile } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { COMMANDS, JSON_SCHEMAS } from '@code-executor/cli';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { newDeployment } from './deploy/deployment.ts';
import { openShell } from './support/cli.ts';

const ROOT = fileURLToPath(new URL('../', import.meta.url));
const hasAnalyzer = existsSync('/usr/bin/systemd-analyze');

describe('the systemd user unit', () => {
  let home: string;
  let shell: ReturnType<typeof openShell>;
  /** What systemctl was asked, a line each. */
  const asked = (): string[] => readFileSync(join(home, 'systemctl.log'), 'utf8').split('\n').filter(Boolean);
  const unit = (): string => join(home, '.config/systemd/user/code-executor.service');

  beforeAll(() => {
    home = mkdtempSync(join(tmpdir(), 'unit "of" 100% '));
    const bin = join(home, 'fake');
    mkdirSync(bin);
    // Stands for a session's systemd, which a test cannot have: it remembers what is enabled and running.
    writeFileSync(
      join(bin, 'systemctl'),
      `#!/bin/sh
echo "$*" >> "$HOME/systemctl.log"
[ "$1" = --user ] || exit 64
shift
case $1 in
  daemon-reload) [ ! -e "$HOME/no-bus" ] || { echo 'Failed to connect to bus' >&2; exit 1; } ;;
  enable) touch "$HOME/enabled" ;;
  start) touch "$HOME/active" ;;
  disable) rm -f "$HOME/enabled" "$HOME/active" ;;
  is-enabled) [ -e "$HOME/enabled" ] ;;
  is-active) [ -e "$HOME/active" ] ;;
  *) exit 64 ;;
esac
`,
    );
    chmodSync(join(bin, 'systemctl'), 0o755);
    shell = openShell(home, {
      PATH: [bin, process.env.PATH].join(delimiter),
      EXECUTOR_PORT: '9555',
      EXECUTOR_DATA_DIR: join(home, 'data'),
      EXECUTOR_KEY: 'cex_secretsecretsecretsecretsecret',
      EXECUTOR_OIDC_AUDIENCE: 'not for the unit',
    });
  });
  afterAll(() => rmSync(home, { recursive: true, force: true }));

  async function json(...args: string[]): Promise<Record<string, unknown>> {
    const { code, out, err } = await shell.executor(['service', ...args, '--json']);
    expect([code, err]).toEqual([0, '']);
    const command = COMMANDS.find(({ name }) => name === `service ${args[0]}`);
    const schema = command?.json !== undefined && 'schema' in command.json ? command.json.schema : '';
    expect(new Ajv2020().validate(JSON_SCHEMAS[schema] ?? {}, JSON.parse(out))).toBe(true);
    return JSON.parse(out) as Record<string, unknown>;
  }

  test('is written, enabled and started; it says how, and no secret', async () => {
    expect(await json('status')).toMatchObject({ installed: false, enabled: false, active: false });
    expect(await json('install')).toMatchObject({ file: unit(), installed: true, enabled: true, active: true, problem: null });
    expect(asked().filter((line) => !line.includes('is-'))).toEqual([
      '--user daemon-reload',
      '--user enable code-executor.service',
      '--user start code-executor.service',
    ]);
    const text = readFileSync(unit(), 'utf8');
    expect(text).toContain(`ExecStart="${ROOT}deploy.sh" up --embedded\n`);
    expect(text).toContain(`ExecStop="${ROOT}deploy.sh" down\n`);
    expect(text).toContain('Environment="EXECUTOR_PORT=9555"\n');
    expect(text).toMatch(/^Environment="PATH=.+"$/m);
    // Quotes and percent signs of systemd's own are spelled out.
    expect(text).toContain('unit \\"of\\" 100%% ');
    expect(text).not.toMatch(/cex_|not for the unit/);
    expect(await json('status')).toMatchObject({ installed: true, enabled: true, active: true });
  });

  test.skipIf(!hasAnalyzer)('is one that systemd takes without a warning', async () => {
    const env = { PATH: process.env.PATH, HOME: home, XDG_RUNTIME_DIR: home };
    expect(await promisify(execFile)('systemd-analyze', ['--user', 'verify', unit()], { env })).toEqual({ stdout: '', stderr: '' });
  });

  test('is taken away again, and where there is no session the problem is named', async () => {
    expect(await json('uninstall')).toMatchObject({ installed: false, enabled: false, active: false, problem: null });
    expect(asked()).toContain('--user disable --now code-executor.service');
    expect(existsSync(unit())).toBe(false);

    writeFileSync(join(home, 'no-bus'), '');
    const { code, out } = await shell.executor(['service', 'install', '--no-start']);
    expect([code, out]).toEqual([1, expect.stringMatching(/problem +systemctl --user daemon-reload: Failed to connect to bus/)]);
  });
});

describe('the service of this machine, through the CLI', () => {
  test('up, status, logs, doctor and down are those of deploy.sh, with its words and exit codes', async () => {
    const deployment = await newDeployment();
    const cli = (command: string) => deployment.shell(`'${process.execPath}' '${ROOT}packages/cli/bin/executor.js' ${command}`);
    try {
      expect(await cli('status')).toMatchObject({ exitCode: 3 });
      const up = await cli('up --embedded');
      expect([up.exitCode, up.text]).toEqual([0, expect.stringContaining('9592 primes below 100,000')]);
      expect(await cli('status')).toMatchObject({ exitCode: 0, text: expect.stringContaining(`:${deployment.port}`) });
      // The key lies in the data directory, and goes to this machine alone.
      expect(await cli(`--url http://127.0.0.1:${deployment.port} whoami`)).toMatchObject({
        exitCode: 0,
        text: expect.stringContaining('admin'),
      });
      const logs = await cli('logs');
      expect([logs.exitCode, JSON.parse(logs.text.trim().split('\n').at(-1) ?? '')]).toEqual([
        0,
        expect.objectContaining({ msg: expect.any(String) }),
      ]);
      expect((await cli('doctor')).text).toMatch(/Node|namespaces|port/i);
      const misused = await cli('status --frobnicate');
      expect([misused.exitCode, misused.text]).toEqual([2, expect.stringMatching(/status/)]);
      expect((await cli('up --help')).text).toContain('executor up --docker');
      expect(await cli('down')).toMatchObject({ exitCode: 0 });
      expect(await cli('status')).toMatchObject({ exitCode: 3 });
    } finally {
      await deployment.remove();
    }
  }, 300_000);
});
