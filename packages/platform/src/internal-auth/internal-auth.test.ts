import { createHmac } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { createGrants } from './grants.ts';
import { createServiceSigner, createServiceVerifier } from './service-tokens.ts';

const GATEWAY_KEY = 'g'.repeat(43);
const WORKER_KEY = 'w'.repeat(43);
const GRANT_KEY = 'p'.repeat(43);
const START_MS = Date.UTC(2026, 0, 1);
const REFUSED = expect.objectContaining({ code: 'UNAUTHENTICATED' });

let nowMs = START_MS;
const now = (): number => nowMs;
const at = (ms: number): void => {
  nowMs = ms;
};
const verifier = () => createServiceVerifier({ gateway: GATEWAY_KEY, worker: WORKER_KEY }, { now });
const signer = (role: 'gateway' | 'worker', key: string) => createServiceSigner({ role, name: `${role}-1`, key, now });

const encode = (part: unknown): string => Buffer.from(JSON.stringify(part)).toString('base64url');
const HEADER = { alg: 'HS256', typ: 'service+jwt' };
const claims = (changed: object = {}): object => ({
  aud: 'mcp-proxy',
  sub: 'worker',
  iss: 'worker-1',
  iat: START_MS / 1_000,
  exp: START_MS / 1_000 + 60,
  ...changed,
});
/** A token by hand, for what no library would sign. */
function handMade(header: object, payload: object, key: string | null): string {
  const signed = `${encode(header)}.${encode(payload)}`;
  const algorithm = 'alg' in header && header.alg === 'HS512' ? 'sha512' : 'sha256';
  return `${signed}.${key === null ? '' : createHmac(algorithm, key).update(signed).digest('base64url')}`;
}

describe('the token of a service', () => {
  test('names its role and process, and a token by hand of the same shape is as good', async () => {
    at(START_MS);
    expect(await verifier()(await signer('worker', WORKER_KEY)())).toEqual({ role: 'worker', name: 'worker-1' });
    expect(await verifier()(handMade(HEADER, claims(), WORKER_KEY))).toEqual({ role: 'worker', name: 'worker-1' });
  });

  test('is the same one for a while and another before it expires, and is accepted at every moment between', async () => {
    at(START_MS);
    const token = signer('gateway', GATEWAY_KEY);
    const verify = verifier();
    const seen = new Set<string>();
    for (let second = 0; second < 300; second += 1) {
      at(START_MS + second * 1_000);
      const current = await token();
      seen.add(current);
      expect((await verify(current)).role).toBe('gateway');
    }
    expect(seen.size).toBeLessThan(10);
    expect(seen.size).toBeGreaterThan(3);
  });

  const WRONG: Record<string, string> = {
    'without a signature (alg none)': handMade({ alg: 'none', typ: 'service+jwt' }, claims(), null),
    'that says alg none and is signed': handMade({ alg: 'none', typ: 'service+jwt' }, claims(), WORKER_KEY),
    'of HS512': handMade({ alg: 'HS512', typ: 'service+jwt' }, claims(), WORKER_KEY),
    "signed with the other role's key": handMade(HEADER, claims({ sub: 'gateway' }), WORKER_KEY),
    'of a role that there is not': handMade(HEADER, claims({ sub: 'admin' }), WORKER_KEY),
    'of a prototype as its role': handMade(HEADER, claims({ sub: '__proto__' }), WORKER_KEY),
    'for another audience': handMade(HEADER, claims({ aud: 'gateway' }), WORKER_KEY),
    'without an audience': handMade(HEADER, claims({ aud: undefined }), WORKER_KEY),
    'of another type': handMade({ alg: 'HS256', typ: 'grant+jwt' }, claims(), WORKER_KEY),
    'without a type': handMade({ alg: 'HS256' }, claims(), WORKER_KEY),
    'without an end': handMade(HEADER, claims({ exp: undefined }), WORKER_KEY),
    'without a beginning': handMade(HEADER, claims({ iat: undefined }), WORKER_KEY),
    'that is valid for too long': handMade(HEADER, claims({ exp: START_MS / 1_000 + 61 }), WORKER_KEY),
    'of the future': handMade(HEADER, claims({ iat: START_MS / 1_000 + 10, exp: START_MS / 1_000 + 60 }), WORKER_KEY),
    'that has expired': handMade(HEADER, claims({ iat: START_MS / 1_000 - 60, exp: START_MS / 1_000 - 6 }), WORKER_KEY),
    'without a process': handMade(HEADER, claims({ iss: undefined }), WORKER_KEY),
    'whose process is a line of a log': handMade(HEADER, claims({ iss: 'a\nb' }), WORKER_KEY),
    'that is none': 'Bearer',
    'that is empty': '',
    'of two parts': `${encode(HEADER)}.${encode(claims())}`,
    'that is no object': `${encode(HEADER)}.${encode('x')}.`,
  };
  test.each(Object.entries(WRONG))('%s is refused', async (_what, token) => {
    at(START_MS);
    await expect(verifier()(token)).rejects.toEqual(REFUSED);
  });

  test('is accepted five seconds after its end and no later, also where it was verified before', async () => {
    const verify = verifier();
    const token = handMade(HEADER, claims({ exp: START_MS / 1_000 + 30 }), WORKER_KEY);
    at(START_MS);
    await verify(token);
    at(START_MS + 34_000);
    expect((await verify(token)).role).toBe('worker');
    expect((await verifier()(token)).role).toBe('worker');
    at(START_MS + 36_000);
    await expect(verify(token)).rejects.toEqual(REFUSED);
    await expect(verifier()(token)).rejects.toEqual(REFUSED);
  });

  test('is refused with any one character changed, also where the true one was verified before', async () => {
    at(START_MS);
    const verify = verifier();
    const token = await signer('worker', WORKER_KEY)();
    await verify(token);
    await fc.assert(
      fc.asyncProperty(fc.nat(token.length - 2), fc.constantFrom(...'ABCDWXYZabcdwxyz0189-_.'), async (place, character) => {
        fc.pre(token[place] !== character);
        const changed = token.slice(0, place) + character + token.slice(place + 1);
        await expect(verify(changed)).rejects.toEqual(REFUSED);
      }),
      { numRuns: 300 },
    );
  });

  test('needs keys that cannot be guessed and that differ', () => {
    expect(() => createServiceVerifier({ gateway: 'short', worker: WORKER_KEY })).toThrow('32');
    expect(() => createServiceVerifier({ gateway: WORKER_KEY, worker: WORKER_KEY })).toThrow('the same');
    expect(() => createServiceSigner({ role: 'worker', name: 'w', key: 'short' })).toThrow('worker');
    expect(() => createGrants({ key: 'short' })).toThrow('grants');
  });

  test('never shows in the message of its refusal', async () => {
    at(START_MS);
    const token = await signer('gateway', WORKER_KEY)();
    const error = await verifier()(token).catch((thrown: unknown) => thrown);
    expect(String(error)).not.toContain(token.slice(0, 10));
    expect(String(error)).toContain('another key');
  });
});

describe('the grant of an execution', () => {
  const grants = () => createGrants({ key: GRANT_KEY, now });
  const GRANT = { executionId: 'exe_1', workspaceId: 'wsp_1', principalId: 'key_1', token: 3 };

  test('gives back what it was issued for, whatever that is', async () => {
    at(START_MS);
    await fc.assert(
      fc.asyncProperty(
        fc.record({ executionId: fc.string({ minLength: 1 }), workspaceId: fc.string(), principalId: fc.string(), token: fc.nat() }),
        async (grant) => {
          const bearer = await grants().issue(grant, new Date(START_MS + 30_000));
          expect(await grants().verify(bearer)).toEqual(grant);
        },
      ),
    );
  });

  test('dies with its claim', async () => {
    at(START_MS);
    const proxy = grants();
    const bearer = await proxy.issue(GRANT, new Date(START_MS + 30_000));
    await proxy.verify(bearer);
    at(START_MS + 36_000);
    await expect(proxy.verify(bearer)).rejects.toEqual(REFUSED);
  });

  test('cannot be made over to another execution, principal or claim', async () => {
    at(START_MS);
    const bearer = await grants().issue(GRANT, new Date(START_MS + 30_000));
    const [header = '', payload = '', signature = ''] = bearer.split('.');
    const stated = JSON.parse(Buffer.from(payload, 'base64url').toString()) as object;
    for (const change of [{ sub: 'exe_2' }, { wsp: 'wsp_2' }, { prn: 'key_2' }, { tok: 4 }]) {
      await expect(grants().verify(`${header}.${encode({ ...stated, ...change })}.${signature}`)).rejects.toEqual(REFUSED);
    }
  });

  test('is no token of a service, and a token of a service is no grant, even under one key', async () => {
    at(START_MS);
    const bearer = await createGrants({ key: WORKER_KEY, now }).issue({ ...GRANT, executionId: 'worker' }, new Date(START_MS + 30_000));
    await expect(verifier()(bearer)).rejects.toEqual(REFUSED);
    await expect(createGrants({ key: WORKER_KEY, now }).verify(await signer('worker', WORKER_KEY)())).rejects.toEqual(REFUSED);
  });

  test('of another proxy is refused unless they share the key', async () => {
    at(START_MS);
    const bearer = await createGrants({ key: 'q'.repeat(43), now }).issue(GRANT, new Date(START_MS + 30_000));
    await expect(grants().verify(bearer)).rejects.toEqual(REFUSED);
    expect(await grants().verify(await grants().issue(GRANT, new Date(START_MS + 30_000)))).toEqual(GRANT);
  });
});
