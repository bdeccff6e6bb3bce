import { readFileSync } from 'node:fs';
import { open, readFile, rm } from 'node:fs/promises';
import { AppError } from '../errors.ts';

/**
 * Makes this process the only holder of `directory`, because two PGlite in one directory destroy it. A holder that was
 * killed is recognised by its pid and start time, so that a recycled pid does not lock the directory for ever.
 */
export async function holdDirectory(directory: string): Promise<{ release(): Promise<void> }> {
  const file = `${directory}/holder`;
  const own = `${process.pid} ${startTimeOf(process.pid)}`;
  for (let attempt = 0; attempt < 3; attempt += 1) {
    try {
      const handle = await open(file, 'wx', 0o600);
      try {
        await handle.writeFile(own);
      } finally {
        await handle.close();
      }
      return { release: () => rm(file, { force: true }) };
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    }
    const [pid, started] = (await readFile(file, 'utf8')).split(' ');
    if (pid && started && startTimeOf(Number(pid)) === started) {
      throw new AppError('INTERNAL', `Process ${pid} uses the database in ${directory} already; stop it first`);
    }
    await rm(file, { force: true });
  }
  throw new AppError('INTERNAL', `Another process keeps taking the database in ${directory}`);
}

/**
 * Field 22 of /proc/PID/stat, clock ticks since boot; empty where there is no such process, or nothing of it but an entry
 * that its parent has yet to take away (state Z or X): such a one holds no file.
 */
function startTimeOf(pid: number): string {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    const [state = '', ...fields] = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return state === 'Z' || state === 'X' ? '' : (fields[18] ?? '');
  } catch {
    return '';
  }
}
