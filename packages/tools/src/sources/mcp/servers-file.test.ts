import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { resolveReferences } from './references.ts';
import { createScrub } from './secrets.ts';
import type { McpServerEntry } from './server-entry.ts';
import { parseServersFile } from './servers-file.ts';

const reference = (name: string): string => `$${'{'}${name}}`;

function parse(servers: Record<string, unknown>, environment: Record<string, string> = {}): ReturnType<typeof parseServersFile> {
  return parseServersFile(JSON.stringify({ mcpServers: servers }), 'servers.json', environment);
}

function entryOf(raw: unknown, environment: Record<string, string> = {}): McpServerEntry {
  const [parsed] = parse({ one: raw }, environment);
  if (parsed === undefined || !('entry' in parsed)) throw new Error(JSON.stringify(parsed));
  return parsed.entry;
}

function problemOf(raw: unknown, environment: Record<string, string> = {}): string {
  const [parsed] = parse({ one: raw }, environment);
  if (parsed === undefined || !('broken' in parsed)) throw new Error(JSON.stringify(parsed));
  return parsed.broken.problem;
}

describe('the servers file', () => {
  it('takes entries as desktop clients write them, with warnings for fields it does not know', () => {
    const entry = entryOf({ command: 'npx', args: ['-y', 'server'], env: { A: 'b' }, autoApprove: ['x'], icon: 'y' });
    expect(entry.transport).toEqual({
      kind: 'stdio',
      command: 'npx',
      args: ['-y', 'server'],
      env: { A: 'b' },
      cwd: null,
      mounts: null,
      network: true,
    });
    expect(entry).toMatchObject({ trust: 'annotations', lazy: false, callTimeoutMs: 60_000 });
    expect(entry.warnings).toEqual(['autoApprove: unknown field, ignored', 'icon: unknown field, ignored']);
    expect(entryOf({ type: 'sse', url: 'https://example.invalid/sse', headers: { 'X-Key': 'k' } }).transport).toMatchObject({
      kind: 'http',
      mode: 'sse',
      headers: { 'X-Key': 'k' },
    });
    expect(parse({ off: { command: 'x', disabled: true } })).toEqual([{ disabled: 'off' }]);
  });

  it.each<[unknown, string]>([
    [{}, 'command: give a command'],
    [{ command: 'a', url: 'http://b' }, 'url: give either'],
    [{ command: 1 }, 'command: '],
    [{ command: 'a', args: [1] }, 'args.0: '],
    [{ command: 'a', env: { X: 1 } }, 'env.X: '],
    [{ command: 'a', trust: 'yes' }, 'trust: must be true, false or "annotations"'],
    [{ command: 'a', cwd: 'here' }, 'cwd: must be an absolute path'],
    [{ command: 'a', sandbox: { mount: [] } }, 'sandbox: '],
    [{ command: 'a', sandbox: { mounts: ['rel'] } }, 'sandbox.mounts.0: '],
    [{ command: 'a', readOnlyTools: ['get_*'] }, 'readOnlyTools.0: '],
    [{ url: 'ftp://x' }, 'url: must be an http'],
    [{ url: 'http://x', headers: { 'a b': 'c' } }, 'headers.a b: '],
    [{ url: 'http://x', headers: { a: 'c\nd' } }, 'headers.a: '],
    [[], 'entry: '],
    ['x', 'entry: '],
  ])('names the field of what is wrong in %j', (raw, problem) => expect(problemOf(raw)).toContain(problem));

  it('resolves references, and an unset one breaks that server alone', () => {
    const environment = { TOKEN: 'tkn-123456', EMPTY: '' };
    const { transport } = entryOf(
      { command: 'a', args: [reference('env:TOKEN'), reference('NONE:-x y'), reference('EMPTY'), reference('EMPTY:-d')] },
      environment,
    );
    expect(transport).toMatchObject({ args: ['tkn-123456', 'x y', '', 'd'] });
    const [broken, well] = parse({ one: { command: 'a', env: { A: reference('NONE') } }, two: { command: 'b' } });
    expect(broken).toMatchObject({ broken: { problem: 'env.A: the environment variable NONE is not set' } });
    expect(well).toHaveProperty('entry');
  });

  it('never expands what it put in, nor names of the prototype', () => {
    expect(resolveReferences(reference('A'), { A: reference('B'), B: 'no' }).text).toBe(reference('B'));
    expect(resolveReferences(reference('constructor'), {}).missing).toEqual(['constructor']);
    fc.assert(
      fc.property(fc.string(), (text) => {
        const plain = text.replaceAll('$', '');
        expect(resolveReferences(plain, {})).toEqual({ text: plain, values: [], missing: [] });
      }),
    );
  });

  it('refuses a file that is not JSON without quoting it', () => {
    expect(() => parseServersFile('{"mcpServers": {"a": {"env": {"KEY": "secret" "x"', 'f.json', {})).toThrow(
      expect.objectContaining({ code: 'INTEGRATION_INVALID', message: expect.not.stringContaining('secret') }),
    );
    expect(() => parseServersFile('{"servers": {}}', 'f.json', {})).toThrow('mcpServers must be an object');
  });

  it('gives names that are no slugs a slug, each its own', () => {
    const parsed = parse({
      'my server': { command: 'a' },
      'my.server': { command: 'b' },
      'my-server': { command: 'c' },
      '…': { command: 'd' },
    });
    const slugs = parsed.map((one) => ('entry' in one ? one.entry.slug : ''));
    expect(new Set(slugs).size).toBe(4);
    for (const slug of slugs) expect(slug).toMatch(/^[A-Za-z0-9][A-Za-z0-9_-]*$/);
  });

  it('knows the secrets of an entry wherever they stand', () => {
    const { hidden } = entryOf(
      {
        command: 'a',
        args: ['--api-key', 'argsecret', '--token=pairsecret', '--verbose'],
        env: { API_KEY: 'envsecret', LEVEL: 'debugging', PORT: '80' },
      },
      {},
    );
    expect([...hidden.secrets].sort()).toEqual(['argsecret', 'envsecret', 'pairsecret']);
    expect([...hidden.privates]).toEqual(['debugging']);
    const remote = entryOf({
      url: 'https://user:passw0rd@example.invalid/mcp?api_key=urlsecret',
      headers: { Authorization: 'Bearer headersecret' },
    });
    for (const secret of ['passw0rd', 'urlsecret', 'headersecret']) expect([...remote.hidden.secrets]).toContain(secret);
    expect(remote.transport).toMatchObject({ headers: { authorization: expect.stringMatching(/^Basic /) } });
  });

  it('hides a secret also where it is escaped', () => {
    const secret = 'a"b/c d\\é';
    const scrub = createScrub([secret]);
    for (const text of [secret, JSON.stringify(secret), encodeURIComponent(secret), `x${secret}${secret}`]) {
      expect(scrub(text)).toContain('[secret]');
      expect(scrub(text)).not.toContain('b/c');
      expect(scrub(text)).not.toContain('b%2Fc');
    }
    fc.assert(
      fc.property(fc.string({ minLength: 4, unit: fc.constantFrom('x', 'y', '.', '*', '\\', '(', '$') }), (value) => {
        expect(createScrub([value])(`a ${value} b`)).toBe('a [secret] b');
      }),
    );
  });
});
