import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';
import type { Handler } from '../command/command.ts';
import type { Context } from '../command/context.ts';
import { columns } from '../terminal/columns.ts';
import { findDeployScript } from './deploy-script.ts';

const UNIT = 'code-executor.service';

interface UnitState {
  readonly unit: string;
  readonly file: string;
  readonly installed: boolean;
  readonly enabled: boolean;
  readonly active: boolean;
  /** What kept systemd from being told; null: nothing. */
  readonly problem: string | null;
}

export const installUnit: Handler = async (context, { options }) => {
  const { env } = context.terminal;
  const file = unitFile(env);
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, unitText(findDeployScript(env), env));
  const problem =
    systemctl(['daemon-reload']) ?? systemctl(['enable', UNIT]) ?? (options['no-start'] === true ? null : systemctl(['start', UNIT]));
  return answer(context, problem);
};

export const uninstallUnit: Handler = async (context) => {
  const file = unitFile(context.terminal.env);
  const problem = existsSync(file) ? systemctl(['disable', '--now', UNIT]) : null;
  rmSync(file, { force: true });
  return answer(context, problem ?? systemctl(['daemon-reload']));
};

export const showUnit: Handler = async (context) => answer(context, null);

/** deploy.sh starts it in the background and knows when it is ready, so that systemd has only to ask it. */
export function unitText(script: string, env: Readonly<Record<string, string | undefined>>): string {
  const settings = Object.entries(env)
    // No secret is written: of the variables only those that say where and how. PATH: a session's own would not find Node and npm.
    .filter(
      ([name, value]) =>
        /^(PATH|EXECUTOR_(HOST|PORT|DATA_DIR|MCP_SERVERS|LOG_LEVEL|ALLOWED_HOSTS|PUBLIC_URL))$/.test(name) && value !== undefined,
    )
    .map(([name, value]) => `Environment=${quoted(`${name}=${value}`)}`);
  return [
    '# Written by `executor service install`; taken away by `executor service uninstall`.',
    '[Unit]',
    'Description=Code executor (embedded form)',
    '',
    '[Service]',
    'Type=oneshot',
    'RemainAfterExit=yes',
    ...settings,
    `ExecStart=${quoted(script)} up --embedded`,
    `ExecStop=${quoted(script)} down`,
    'TimeoutStartSec=600',
    // `down` waits for executions; what is left after it is systemd's to end.
    'TimeoutStopSec=60',
    '',
    '[Install]',
    'WantedBy=default.target',
    '',
  ].join('\n');
}

/** `%` begins a specifier, and quotes and backslashes end or escape. */
const quoted = (text: string): string => `"${text.replaceAll('%', '%%').replaceAll('\\', '\\\\').replaceAll('"', '\\"')}"`;

const unitFile = (env: Context['terminal']['env']): string =>
  join(
    env.XDG_CONFIG_HOME === undefined || env.XDG_CONFIG_HOME === '' ? join(env.HOME ?? homedir(), '.config') : env.XDG_CONFIG_HOME,
    'systemd/user',
    UNIT,
  );

function systemctl(args: readonly string[]): string | null {
  const ended = spawnSync('systemctl', ['--user', ...args], { encoding: 'utf8' });
  if (ended.error !== undefined) return 'there is no systemctl here';
  return ended.status === 0 ? null : `systemctl --user ${args.join(' ')}: ${ended.stderr.trim() || `exit code ${ended.status}`}`;
}

function says(args: readonly string[]): boolean {
  try {
    execFileSync('systemctl', ['--user', ...args], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}

function answer(context: Context, problem: string | null): number {
  const file = unitFile(context.terminal.env);
  const installed = existsSync(file);
  const state: UnitState = {
    unit: UNIT,
    file,
    installed,
    enabled: installed && says(['is-enabled', '--quiet', UNIT]),
    active: installed && says(['is-active', '--quiet', UNIT]),
    problem,
  };
  context.answer(state, () =>
    columns([
      [UNIT, state.installed ? file : 'not installed'],
      ['enabled', state.enabled ? 'yes' : 'no'],
      ['running', state.active ? 'yes' : 'no'],
      ...(problem === null ? [] : [['problem', problem]]),
    ]),
  );
  return problem === null ? 0 : 1;
}
