import { readdir, readFile } from 'node:fs/promises';

/**
 * Ends what an earlier service left behind in the instant between bwrap's start and its init's: killed then, bwrap leaves an
 * init that waits for it for good. It is known by the run directory in its command line, which is one adapter's alone.
 */
export async function endLeftovers(runDir: string): Promise<void> {
  const names = (await readdir('/proc')).filter((name) => /^\d+$/.test(name));
  await Promise.all(
    names.map(async (name) => {
      const words = (await readFile(`/proc/${name}/cmdline`, 'utf8').catch(() => '')).split('\0');
      if (!words[0]?.endsWith('bwrap') || !words.includes(`${runDir}/etc`)) return;
      try {
        process.kill(Number(name), 'SIGKILL');
      } catch {
        // ESRCH: it ended by itself.
      }
    }),
  );
}
