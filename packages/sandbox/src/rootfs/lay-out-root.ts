import { lstat, mkdir, readlink } from 'node:fs/promises';
import { join } from 'node:path';
import type { Runtime } from '@code-executor/contracts';
import { writeEtc } from './write-etc.ts';

export interface RootSources {
  /** Belongs to one adapter alone; made if missing. */
  readonly runDir: string;
  /** Host paths of the runtimes' programs. Python is the distribution's own, found at /usr/bin/python3. */
  readonly runtimes: Readonly<Partial<Record<Exclude<Runtime, 'python'>, string>>>;
  readonly runnersDir: string;
  /** Packages an operator lists for Python programs; seen as /opt/python-packages. */
  readonly pythonPackagesDir?: string | undefined;
}

/** What every sandbox's read-only root holds. Paths inside are absolute. */
export interface RootLayout {
  readonly binds: readonly { readonly source: string; readonly path: string }[];
  readonly devices: readonly string[];
  readonly links: readonly { readonly to: string; readonly path: string }[];
}

/** Writes the sandbox's own /etc below `runDir` and lists what else its root is made of. */
export async function layOutRoot(sources: RootSources): Promise<RootLayout> {
  const etc = join(sources.runDir, 'etc');
  await mkdir(etc, { recursive: true });
  await writeEtc(etc);
  const system = await Promise.all(['/bin', '/sbin', '/lib', '/lib32', '/lib64'].map(systemDirectory));
  const binds = [
    { source: '/usr', path: '/usr' },
    { source: etc, path: '/etc' },
    ...system.flatMap((entry) => (entry?.source === undefined ? [] : [{ source: entry.source, path: entry.path }])),
    ...Object.entries(sources.runtimes).map(([runtime, source]) => ({
      source,
      path: `/opt/runtimes/${PROGRAM_NAMES[runtime] ?? runtime}`,
    })),
    { source: sources.runnersDir, path: '/opt/runners' },
    ...(sources.pythonPackagesDir === undefined ? [] : [{ source: sources.pythonPackagesDir, path: '/opt/python-packages' }]),
  ];
  const links = [
    ...system.flatMap((entry) => (entry?.to === undefined ? [] : [{ to: entry.to, path: entry.path }])),
    { to: '/proc/self/fd', path: '/dev/fd' },
    { to: '/proc/self/fd/0', path: '/dev/stdin' },
    { to: '/proc/self/fd/1', path: '/dev/stdout' },
    { to: '/proc/self/fd/2', path: '/dev/stderr' },
  ];
  return { binds, devices: ['/dev/null', '/dev/zero', '/dev/full', '/dev/random', '/dev/urandom'], links };
}

const PROGRAM_NAMES: Readonly<Record<string, string>> = { typescript: 'bun', node: 'node' };

/** /bin and the like are links into /usr on most distributions and directories on some. */
async function systemDirectory(path: string): Promise<{ path: string; to?: string; source?: string } | null> {
  const found = await lstat(path).catch(() => null);
  if (found === null) return null;
  return found.isSymbolicLink() ? { path, to: await readlink(path) } : { path, source: path };
}
