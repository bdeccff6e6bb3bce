/**
 * Builds launcher, runners, and what a single-use container starts with, ahead of time into the directory given. The image's build stage
 * calls it, because the image itself has neither a compiler nor a file system to write to. A worker uses them as long as their names say
 * the same source.
 */
import { mkdir, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { buildLauncher, buildRunners, runnersName, runtimePaths, seccompFilter } from '@code-executor/sandbox';

const [outDir] = process.argv.slice(2);
if (outDir === undefined) throw new Error('usage: node sandbox-image/prebuild.ts DIRECTORY');
const target = resolve(outDir);
const sourceDir = join(import.meta.dirname, 'runners');
await mkdir(target, { recursive: true });
await buildLauncher({ outDir: target });
await buildRunners({ sourceDir, outDir: join(target, await runnersName(sourceDir)), bunPath: runtimePaths().typescript });
await buildLauncher({ outDir: target, sourceDir: join(import.meta.dirname, 'container'), name: 'container-init' });
await writeFile(join(target, 'seccomp.bpf'), seccompFilter());
