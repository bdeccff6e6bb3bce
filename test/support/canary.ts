import { ECHO_MODES, encodings } from './echoing-upstream.ts';

/** Secrets that are known, so that they can be looked for wherever they must not be; each as awkward to encode as real ones are. */
export const CANARY = {
  bearer: 'canary-bearer-Zq8vXw2Lr5tN',
  headerKey: 'canary-header-H7+pQ/m3Kd9s',
  queryKey: 'canary-query-u4Jc~T6y b1Ge',
  cookieKey: 'canary-cookie-R0nf5aWk8ZiV',
  username: 'canary-user-as-key-Bx3hM9oS7q',
  password: 'canary-password-"e2Dl%6P&j',
  org: 'canary-org-C5tz8Ug1YvIw',
  oauthSecret: 'canary-client-secret-kN4r7Fb0',
  fromEnvironment: 'canary-from-env-Oa9sE3xj6Hd2',
  fromFile: 'canary-from-file-Pt2Wq7+Vn4Yc',
  mcpToken: 'canary-mcp-token-Lw1kQ8fG5mZ0',
  webhookSecret: 'canary-webhook-Ve5cT9y/Lm2Sf',
  stdioToken: 'canary-stdio-env-Jb6u/Xe3+Rk8',
} as const;

export const BASIC_PAIR = `${CANARY.username}:${CANARY.password}`;

/** What a test gives to `POST /connections`, by name. Wants `EXECUTOR_SECRET_CANARY`, and a file `canary` in `EXECUTOR_SECRET_FILES_DIR`. */
export const CANARY_CONNECTIONS: Readonly<Record<string, object>> = {
  bearer: { type: 'bearer', token: CANARY.bearer },
  header: { type: 'apiKey', value: CANARY.headerKey, in: 'header', name: 'X-API-Key' },
  query: { type: 'api_key', key: CANARY.queryKey, in: 'query', name: 'api_key' },
  cookie: { type: 'apiKey', token: CANARY.cookieKey, in: 'cookie', name: 'sid' },
  basic: { type: 'basic', username: CANARY.username, password: CANARY.password },
  headers: { type: 'headers', headers: { Authorization: `Token ${CANARY.bearer}`, 'X-Org': CANARY.org } },
  env: { type: 'bearer', token: { provider: 'env', key: 'CANARY' } },
  file: { type: 'bearer', token: { provider: 'file', key: 'canary' } },
  oauth: {
    type: 'oauth2',
    grant: 'client_credentials',
    tokenUrl: 'http://127.0.0.1:9/token',
    clientId: 'c',
    clientSecret: CANARY.oauthSecret,
  },
};

/** What an upstream that was called by all of them has seen. */
export const CANARY_SEEN: readonly string[] = [
  CANARY.bearer,
  CANARY.headerKey,
  CANARY.queryKey,
  CANARY.cookieKey,
  CANARY.org,
  CANARY.fromEnvironment,
  CANARY.fromFile,
  Buffer.from(BASIC_PAIR).toString('base64').replace(/=+$/, ''),
];

/** A secret and a text by which it would be recognised. */
export type Needle = readonly [secret: string, needle: string];

/**
 * Pieces by which each secret would be recognised in a text, however it is spelt: whole in each encoding, its latter half, which
 * a secret that comes in pieces shows, and the middle of its base64 in each of the three ways that it can lie in something longer.
 */
export function needlesOf(secrets: readonly string[]): Needle[] {
  return secrets.flatMap((secret) => {
    const latter = secret.slice(Math.ceil(secret.length / 2));
    const spellings = new Set([...encodings(secret).slice(0, 7), latter, encodeURIComponent(latter), ...base64Middles(secret)]);
    return [...spellings].map((needle): Needle => [secret, needle]);
  });
}

function base64Middles(secret: string): string[] {
  const bytes = Buffer.from(secret);
  return [0, 1, 2].flatMap((skipped) => {
    const whole = bytes.subarray(skipped, skipped + Math.floor((bytes.length - skipped) / 3) * 3);
    return [whole.toString('base64').slice(-12), whole.toString('base64url').slice(-12)];
  });
}

/** Looks for them; answers `SECRET as SPELLING` for each that is there. */
export function createHits(needles: readonly Needle[]): (text: string) => string[] {
  return (text) => needles.filter(([, needle]) => text.includes(needle)).map(([secret, needle]) => `${secret} as ${needle}`);
}

/** A program that reads whatever it can reach, calls `echo.echo` in every mode, and looks for them. It must not hold them itself. */
export function lookingProgram(
  needles: readonly Needle[],
  calls = ECHO_MODES.map((mode) => `tools.echo.echo({ mode: '${mode}' })`),
): string {
  const backwards = needles.map(([, needle]) => [...needle].reverse().join(''));
  return `
    const fs = await import('node:fs');
    const out = [JSON.stringify(process.env)];
    const walk = (dir) => { for (const entry of fs.readdirSync(dir, { withFileTypes: true })) { const path = dir + '/' + entry.name;
      if (entry.isDirectory()) walk(path); else if (entry.isFile()) out.push(fs.readFileSync(path, 'latin1')); } };
    for (const dir of ['/workspace', '/tmp', '/etc']) try { walk(dir); } catch (error) { out.push(String(error)); }
    for (const file of ['/proc/self/environ', '/proc/1/environ', '/proc/1/cmdline', '/proc/self/mountinfo']) try { out.push(fs.readFileSync(file, 'latin1')); } catch (error) { out.push(String(error)); }
    const replies = [];
    for (const call of [${calls.map((call) => `() => ${call}`).join(', ')}]) {
      replies.push(await call().catch((error) => ({ code: error.code, message: error.message, stack: error.stack, details: error.details })));
      console.log(JSON.stringify(replies.at(-1)));
    }
    const text = out.join('\\n');
    return { length: text.length, hits: ${JSON.stringify(backwards)}.filter((needle) => text.includes([...needle].reverse().join(''))), replies };`;
}

/** Bodies of `POST /connections` that are wrong in some way, and hold secrets. */
export const WRONG_CONNECTIONS: readonly object[] = [
  { integration: 'echo', name: 'x', owner: 'workspace', auth: { type: 'bearer', tokens: CANARY.bearer } },
  {
    integration: 'echo',
    name: 'x',
    owner: 'workspace',
    auth: { type: 'basic', username: CANARY.username, password: { provider: 'no', key: CANARY.password } },
  },
  { integration: 'echo', name: 'x', owner: 'workspace', auth: CANARY.bearer },
  { integration: 'echo', name: 'x', owner: 'workspace', auth: { type: 'bearer', token: `${CANARY.bearer}\n` } },
  { integration: 'echo', name: 'bearer', owner: 'workspace', auth: { type: 'bearer', token: CANARY.bearer } },
  { integration: 'nothing', name: 'x', owner: 'workspace', auth: { type: 'bearer', token: CANARY.bearer } },
];

/** Routes that list or tell something, to be read whole. */
export const TELLING_PATHS: readonly string[] = [
  ...['/integrations', '/integrations/echo', '/integrations/remote', '/providers', '/policies', '/policies?derived=true', '/approvals'],
  ...['/audit', '/audit/export', '/audit/verify', '/keys', '/connections', '/skills'],
  ...['/tools', '/tools/info/echo/echo', '/tools/search?q=echo&detail=full', '/tools/export/openapi', '/executions', '/executions/export'],
  ...['/health', '/health/ready', '/metrics', '/openapi.json'],
];
