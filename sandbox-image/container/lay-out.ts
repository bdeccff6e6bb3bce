/**
 * Lays out, in the worker's image and below the directory given, the root that single-use containers have: what the launcher's sandboxes
 * see, copied instead of bound, with init and the programs' seccomp filter beside it. sandbox-image/container/Dockerfile runs it.
 */
import { execFile } from 'node:child_process';
import { chmod, cp, mkdir, readdir, symlink } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { layOutRoot, runnersName, runtimePaths } from '@code-executor/sandbox';

const [outDir] = process.argv.slice(2);
if (outDir === undefined) throw new Error('usage: node sandbox-image/container/lay-out.ts DIRECTORY');
const built = join(import.meta.dirname, '../build');
const runnersDir = join(built, await runnersName(join(import.meta.dirname, '../runners')));
const { binds, links } = await layOutRoot({ runDir: '/tmp/lay-out', runtimes: runtimePaths(), runnersDir });

for (const { source, path } of binds) {
  await mkdir(dirname(join(outDir, path)), { recursive: true });
  // Of the same file system as far as it goes: hard links cost nothing, and the next build stage copies what they name.
  await promisify(execFile)('cp', ['-a', source, join(outDir, path)], { timeout: 300_000 });
}
for (const { to, path } of links) if (!path.startsWith('/dev/')) await symlink(to, join(outDir, path));
for (const path of ['/workspace', '/tmp', '/dev', '/proc', '/sys', '/opt/sandbox/channel'])
  await mkdir(join(outDir, path), { recursive: true });
// What is mounted there takes the mode over from here.
await chmod(join(outDir, 'tmp'), 0o1777);
await chmod(join(outDir, 'sys'), 0o000);
const [init] = (await readdir(built)).filter((name) => name.startsWith('container-init-'));
if (init === undefined) throw new Error(`there is no container-init in ${built}; sandbox-image/prebuild.ts makes it`);
await cp(join(built, init), join(outDir, 'opt/sandbox/init'));
await cp(join(built, 'seccomp.bpf'), join(outDir, 'opt/sandbox/seccomp.bpf'));
