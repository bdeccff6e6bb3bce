import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { Handler } from '../command/command.ts';
import { EXIT } from '../exit-codes.ts';

/** `up`, `down` and the like: deploy.sh does it, its words, output and exit code are passed through. */
export const runDeployScript: Handler = async (context, { command, rest }) =>
  run(findDeployScript(context.terminal.env), [command, ...rest], context.terminal.env);

/** @throws Error where this CLI came without a checkout. */
export function findDeployScript(env: Readonly<Record<string, string | undefined>>): string {
  const candidates = [
    ...(env.EXECUTOR_CHECKOUT === undefined ? [] : [`${env.EXECUTOR_CHECKOUT}/deploy.sh`]),
    // packages/cli/src/local, or packages/cli/dist
    fileURLToPath(new URL('../../../../deploy.sh', import.meta.url)),
    fileURLToPath(new URL('../../../deploy.sh', import.meta.url)),
  ];
  const found = candidates.find((path) => existsSync(path));
  if (found !== undefined) return found;
  throw new Error(
    'This CLI was installed without the checkout that the service is run from: clone it and use its ./executor, or name it in EXECUTOR_CHECKOUT.',
  );
}

function run(script: string, args: readonly string[], env: NodeJS.ProcessEnv): Promise<number> {
  return new Promise((resolve, reject) => {
    const child = spawn(script, args, { stdio: 'inherit', env });
    // It ends by the same signal of the terminal, and says how.
    child.once('error', reject);
    child.once('close', (code) => resolve(code ?? EXIT.interrupted));
  });
}
