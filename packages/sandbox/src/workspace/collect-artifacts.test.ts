import { closeSync, mkdirSync, mkdtempSync, openSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { collectArtifacts } from './collect-artifacts.ts';

test('a folder that holds more than is looked at is named, with what is kept of it', async () => {
  const workspace = mkdtempSync(join(tmpdir(), 'workspace-'));
  const fd = openSync(workspace, 'r');
  try {
    mkdirSync(join(workspace, 'artifacts/many'), { recursive: true });
    mkdirSync(join(workspace, 'artifacts/full'));
    for (let index = 0; index < 1_001; index += 1) writeFileSync(join(workspace, 'artifacts/many', String(index)), '');
    for (let index = 0; index < 1_000; index += 1) writeFileSync(join(workspace, 'artifacts/full', String(index)), '');
    const left = { output: null, workspaceFd: fd };
    const { files, omitted } = await collectArtifacts(left, async () => null, { files: 10_000, totalBytes: 10_000 });
    expect(files.filter(({ path }) => path.startsWith('full/'))).toHaveLength(1_000);
    expect(files.filter(({ path }) => path.startsWith('many/'))).toHaveLength(1_000);
    expect(omitted).toEqual([{ path: 'many', reason: 'it has more than 1000 entries, and the rest is left out' }]);
  } finally {
    closeSync(fd);
    rmSync(workspace, { recursive: true });
  }
});
