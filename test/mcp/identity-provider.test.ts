import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { exportJWK, generateKeyPair, SignJWT } from 'jose';
import { afterAll, expect, it } from 'vitest';
import { ask } from '../support/ask.ts';
import { serviceForThisFile } from '../support/service-suite.ts';

const signer = await generateKeyPair('RS256');
const publishedKeys = { keys: [{ ...(await exportJWK(signer.publicKey)), kid: 'k1', alg: 'RS256', use: 'sig' }] };

/** It publishes its keys at another address of this machine, and answers with a page at first. */
const elsewhere = createServer((_request, response) => void response.end(JSON.stringify(publishedKeys)));
let isFirst = true;
const provider = createServer((_request, response) => {
  response.end(isFirst ? '<h1>Maintenance</h1>' : JSON.stringify({ issuer, jwks_uri: `https://localhost:${portOf(elsewhere)}/keys` }));
  isFirst = false;
});
for (const server of [elsewhere, provider]) await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
const portOf = (server: typeof provider): number => (server.address() as AddressInfo).port;
const issuer = `http://127.0.0.1:${portOf(provider)}`;

const { service } = serviceForThisFile({
  EXECUTOR_OIDC_ISSUER: issuer,
  EXECUTOR_OIDC_AUDIENCE: 'code-executor',
  EXECUTOR_OIDC_DEFAULT_ROLE: 'agent',
});
afterAll(() => {
  elsewhere.close();
  provider.close();
});

it('nobody is let in by an identity provider that answers with rubbish or refers to an address inside, and the log says why', async () => {
  const token = await new SignJWT({})
    .setProtectedHeader({ alg: 'RS256', kid: 'k1' })
    .setIssuer(issuer)
    .setAudience('code-executor')
    .setSubject('ada')
    .setExpirationTime('5m')
    .sign(signer.privateKey);
  const status = async (): Promise<number> => (await ask(service(), 'GET', '/tools', { key: token })).status;
  expect(await status()).toBe(401);
  const log = (): string => readFileSync(service().logFile, 'utf8');
  await expect.poll(log, { timeout: 10_000 }).toContain('does not describe itself as the issuer');
  // It is asked again after ten seconds.
  await expect
    .poll(async () => [await status(), log().includes(`EXECUTOR_OUTBOUND_ALLOW=localhost:${portOf(elsewhere)}`)], {
      timeout: 60_000,
      interval: 500,
    })
    .toEqual([401, true]);
}, 90_000);
