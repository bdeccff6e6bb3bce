import type { Role } from '@code-executor/contracts';
import type { Database } from '@code-executor/platform';
import type { OAuthClient } from './clients.ts';
import type { DeviceRequest } from './port.ts';
import { OAuthRefusal } from './refusal.ts';
import { digestOfSecret, newSecret, newUserCode } from './secrets.ts';
import type { OAuthTables } from './tables.ts';

const LIFE_SECONDS = 600;
const INTERVAL_SECONDS = 5;
/** Requests that wait for a human at once: more would make a user code easier to guess. */
const WAITING_LIMIT = 200;

interface FoundDevice extends DeviceRequest {
  readonly clientId: string;
  readonly resource: string;
}

/** RFC 8628: a client without a browser shows a code, and asks again and again until a human has entered it somewhere. */
export function createDevices(db: Database, now: () => number) {
  const query = db.query<OAuthTables>();
  const waiting = () =>
    query.selectFrom('oauth_devices').where('expires_at', '>', new Date(now())).where('grant_id', 'is', null).where('denied', '=', false);

  return {
    async begin(client: OAuthClient, role: Role, resource: string) {
      const { count } = await waiting()
        .select(({ fn }) => fn.countAll<number | string>().as('count'))
        .executeTakeFirstOrThrow();
      if (Number(count) >= WAITING_LIMIT)
        throw new OAuthRefusal('temporarily_unavailable', 'Too many logins wait for their code; try again in a few minutes.');
      const deviceCode = newSecret('device');
      const userCode = newUserCode();
      await query
        .insertInto('oauth_devices')
        .values({
          digest: digestOfSecret(deviceCode),
          user_code: userCode,
          client_id: client.id,
          client_name: client.name,
          scope: role,
          resource,
          grant_id: null,
          denied: false,
          polled_at: null,
          expires_at: new Date(now() + LIFE_SECONDS * 1000),
        })
        .execute();
      return { deviceCode, userCode, expiresInSeconds: LIFE_SECONDS, intervalSeconds: INTERVAL_SECONDS };
    },

    async find(userCode: string): Promise<FoundDevice | null> {
      const row = await waiting().selectAll().where('user_code', '=', userCode).executeTakeFirst();
      if (row === undefined) return null;
      return {
        userCode: row.user_code,
        clientName: row.client_name,
        role: row.scope as Role,
        clientId: row.client_id,
        resource: row.resource,
      };
    },

    deny: (userCode: string) => decide(userCode, { denied: true }),
    allow: (userCode: string, grantId: string) => decide(userCode, { grant_id: grantId }),

    /** The grant, once. Throws authorization_pending, slow_down, access_denied, expired_token, invalid_grant. */
    async poll(clientId: string, deviceCode: string): Promise<string> {
      const digest = digestOfSecret(deviceCode);
      const row = await query.selectFrom('oauth_devices').selectAll().where('digest', '=', digest).executeTakeFirst();
      if (row === undefined || row.client_id !== clientId)
        throw new OAuthRefusal('invalid_grant', 'There is no such device code of this client.');
      if (row.denied) throw new OAuthRefusal('access_denied', 'The login was refused.');
      if (row.expires_at.getTime() <= now()) throw new OAuthRefusal('expired_token', 'The code has run out; begin anew.');
      if (row.grant_id !== null) {
        const { numDeletedRows } = await query.deleteFrom('oauth_devices').where('digest', '=', digest).executeTakeFirst();
        if (numDeletedRows === 0n) throw new OAuthRefusal('invalid_grant', 'The device code was used before.');
        return row.grant_id;
      }
      const isTooSoon = row.polled_at !== null && now() - row.polled_at.getTime() < (INTERVAL_SECONDS - 1) * 1000;
      await query
        .updateTable('oauth_devices')
        .set({ polled_at: new Date(now()) })
        .where('digest', '=', digest)
        .execute();
      throw isTooSoon
        ? new OAuthRefusal('slow_down', `Ask every ${INTERVAL_SECONDS} s.`)
        : new OAuthRefusal('authorization_pending', 'Nobody has entered the code yet.');
    },
  };

  async function decide(userCode: string, what: { readonly denied: true } | { readonly grant_id: string }): Promise<boolean> {
    const { numUpdatedRows } = await query
      .updateTable('oauth_devices')
      .set(what)
      .where('user_code', '=', userCode)
      .where('grant_id', 'is', null)
      .where('denied', '=', false)
      .where('expires_at', '>', new Date(now()))
      .executeTakeFirst();
    return numUpdatedRows > 0n;
  }
}
