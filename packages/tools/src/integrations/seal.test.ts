import { createCipheriv, randomBytes } from 'node:crypto';
import { appendFile, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { openSeal } from './seal.ts';

let dir: string;
let file: string;
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'seal-'));
  file = join(dir, 'seal.key');
});
afterEach(() => rm(dir, { recursive: true }));

/** As versions before key ids sealed. */
function sealedAsBefore(keyHex: string, text: string, place: string): string {
  const nonce = randomBytes(12);
  const cipher = createCipheriv('aes-256-gcm', Buffer.from(keyHex, 'hex'), nonce).setAAD(Buffer.from(place));
  const sealed = Buffer.concat([cipher.update(text, 'utf8'), cipher.final()]);
  return `v1.${Buffer.concat([nonce, cipher.getAuthTag(), sealed]).toString('base64url')}`;
}

describe('a sealed text', () => {
  test('opens for its own place alone, and no change of it goes unnoticed', async () => {
    const seal = await openSeal(file);
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), fc.string(), fc.nat(), (text, place, at) => {
        const sealed = seal.seal(text, place);
        expect(seal.open(sealed, place)).toBe(Buffer.from(text).toString('utf8'));
        expect(() => seal.open(sealed, `${place}x`)).toThrow(/cannot be opened/);
        const index = at % sealed.length;
        const other = sealed[index] === 'A' ? 'B' : 'A';
        const changed = `${sealed.slice(0, index)}${other}${sealed.slice(index + 1)}`;
        // The last character of base64url may have bits that stand for nothing.
        if (
          Buffer.from(changed.split('.')[2] ?? '', 'base64url').equals(Buffer.from(sealed.split('.')[2] ?? '', 'base64url')) &&
          index > 20
        )
          return;
        expect(() => seal.open(changed, place)).toThrow(/cannot be opened/);
      }),
      { numRuns: 200 },
    );
  });

  test('of an earlier version, and of a key that was the newest once, still opens', async () => {
    const before = await openSeal(file);
    const [key = ''] = (await readFile(file, 'utf8')).split('\n');
    const ancient = sealedAsBefore(key, 'ancient', 'row 1');
    const old = before.seal('old', 'row 2');
    await before.keys.add();
    const fresh = before.seal('fresh', 'row 3');
    for (const seal of [before, await openSeal(file)]) {
      expect([seal.open(ancient, 'row 1'), seal.open(old, 'row 2'), seal.open(fresh, 'row 3')]).toEqual(['ancient', 'old', 'fresh']);
      expect([seal.isCurrent(ancient), seal.isCurrent(old), seal.isCurrent(fresh)]).toEqual([false, false, true]);
    }
  });

  test('of a key that another process has added is opened by one that runs already, and that one seals with it from then on', async () => {
    const [first, second] = [await openSeal(file), await openSeal(file)];
    await first.keys.add();
    const sealed = first.seal('text', 'row');
    expect(second.open(sealed, 'row')).toBe('text');
    expect(second.seal('text', 'row').split('.')[1]).toBe(sealed.split('.')[1]);
  });

  test('of a key that is in no file says which key is missing', async () => {
    const sealed = (await openSeal(file)).seal('text', 'row');
    await rm(file);
    const other = await openSeal(file);
    expect(() => other.open(sealed, 'row')).toThrow(/is not in the file/);
  });
});

describe('a key file', () => {
  test('whose last line was cut off while it was written works with the keys before it, and takes another', async () => {
    const seal = await openSeal(file);
    const sealed = seal.seal('text', 'row');
    await appendFile(file, 'abc123');
    const again = await openSeal(file);
    expect(again.open(sealed, 'row')).toBe('text');
    await again.keys.add();
    expect(again.keys.count()).toBe(2);
    expect((await openSeal(file)).keys.count()).toBe(2);
  });

  test('that holds something else is refused', async () => {
    for (const content of ['', 'hello\n', `${'g'.repeat(64)}\n`]) {
      await writeFile(file, content);
      await expect(openSeal(file)).rejects.toThrow(/restore it from a backup/);
    }
  });
});
