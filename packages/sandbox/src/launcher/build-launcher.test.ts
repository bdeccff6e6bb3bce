import { copyFile, mkdir, mkdtemp, readdir, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { buildLauncher } from './build-launcher.ts';

it('builds the launcher once, again when its source changes, and says which compiler failed', async () => {
  const dir = await mkdtemp(join(tmpdir(), 'build-launcher-'));
  try {
    const outDir = join(dir, 'out');
    const first = await buildLauncher({ outDir });
    const { mtimeMs, mode } = await stat(first);
    expect(mode & 0o100).toBe(0o100);
    expect(await buildLauncher({ outDir })).toBe(first);
    expect((await stat(first)).mtimeMs).toBe(mtimeMs);

    const sourceDir = join(dir, 'source');
    await mkdir(sourceDir);
    await copyFile(join(import.meta.dirname, '../../../../sandbox-image/launcher/launcher.h'), join(sourceDir, 'launcher.h'));
    await writeFile(join(sourceDir, 'launcher.c'), '#include "launcher.h"\nint main(void) { return 3; }\n');
    expect(await buildLauncher({ outDir, sourceDir })).not.toBe(first);
    await writeFile(join(sourceDir, 'launcher.c'), 'int main(void) { return no_such_name; }\n');
    await expect(buildLauncher({ outDir, sourceDir })).rejects.toMatchObject({
      code: 'SANDBOX_UNAVAILABLE',
      message: expect.stringMatching(/install gcc.*no_such_name/),
    });
    expect((await readdir(outDir)).length).toBe(2);
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
});
