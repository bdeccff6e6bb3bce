import { AppError } from '@code-executor/platform';
import { describe, expect, it } from 'vitest';
import { createDocumentReader, type DocumentToRead } from './read-document.ts';

const kindsModule = new URL('./testing/unruly-kind.ts', import.meta.url);
const reader = createDocumentReader({ kindsModule, memoryMb: 64, timeoutMs: 100_000 });

const read = (text: string, more: Partial<DocumentToRead> = {}, of = reader, signal = AbortSignal.timeout(50_000)) =>
  of.read(
    {
      bytes: new TextEncoder().encode(text),
      url: null,
      kind: null,
      slug: 'unruly',
      fetchText: async (url) => `from ${url}`,
      ...more,
    },
    signal,
  );

describe('reading a document', () => {
  it('takes the kind that knows it, and gives its tools as they are stored', async () => {
    const shares: number[] = [];
    const found = await read('do: list a,b', { onProgress: (share) => shares.push(share) });
    expect(found).toMatchObject({ kind: 'openapi', why: 'a kind of its own', title: 'Unruly', operations: 2, toolCount: 2 });
    expect(found.tools.map(({ tool, binding }) => [tool.server, tool.name, binding])).toEqual([
      ['unruly', 'a', '{"of":"a"}'],
      ['unruly', 'b', '{"of":"b"}'],
    ]);
    expect(shares).toEqual([0.35]);
  });

  it('gives the same digest for the same definition and binding, and another one for another binding', async () => {
    const digestOf = async (text: string) => (await read(text)).tools[0]?.digest;
    expect(await digestOf('do: list a')).toBe(await digestOf('do: list a,b'));
    expect(await digestOf('do: list a')).not.toBe(await digestOf('do: list c'));
  });

  it('fetches what it refers to through the service, whose refusals it sees', async () => {
    expect((await read('do: fetch http://a.example/x')).tools[0]?.tool.name).toBe('from http://a.example/x');
    const fetchText = () => Promise.reject(new AppError('OUTBOUND_REFUSED', 'not there'));
    await expect(read('do: fetch http://127.0.0.1/', { fetchText })).rejects.toMatchObject({
      code: 'OUTBOUND_REFUSED',
      message: 'not there',
    });
  });

  it('leaves out names that come twice and what is too large, and says so', async () => {
    expect(await read('do: list a,a,b')).toMatchObject({ toolCount: 2, warnings: [expect.stringContaining('"a" is there twice')] });
    await expect(read('do: large a')).rejects.toMatchObject({
      code: 'INTEGRATION_INVALID',
      message: expect.stringContaining('no operation'),
    });
  });

  it.each([
    ['do: grow', 'INTEGRATION_INVALID', /takes more than 64 MB/],
    ['do: recurse', 'INTEGRATION_INVALID', /too deep/],
    ['do: list', 'INTEGRATION_INVALID', /no operation/],
    ['something else', 'INTEGRATION_INVALID', /of no kind that is known here \(openapi\); it starts with "something else"/],
    ['do: throw', 'INTERNAL', /./],
  ])('survives %j', async (text, code, message) => {
    await expect(read(text)).rejects.toMatchObject({ code, message: expect.stringMatching(message) });
    expect((await read('do: list a')).toolCount).toBe(1);
  });

  it('ends one that goes on for ever at its time limit, and one that nobody waits for any more', async () => {
    const impatient = createDocumentReader({ kindsModule, memoryMb: 64, timeoutMs: 1_500 });
    await expect(read('do: hang', {}, impatient)).rejects.toMatchObject({ message: expect.stringContaining('not read within 1.5 s') });
    const reason = new Error('enough');
    const aborting = new AbortController();
    setTimeout(() => aborting.abort(reason), 300);
    await expect(read('do: hang', {}, reader, aborting.signal)).rejects.toBe(reason);
  });

  it('refuses bytes that are no text', async () => {
    const bytes = new Uint8Array([0xff, 0xfe, 0x00]);
    await expect(read('', { bytes })).rejects.toMatchObject({ code: 'INTEGRATION_INVALID', message: expect.stringContaining('UTF-8') });
  });
});
