import {
  type ConnectionAuth,
  type ConnectionRecord,
  HANDOFF_FIELDS,
  HANDOFF_OPTIONAL_FIELDS,
  type Handoff,
  type HandoffAuth,
  type HandoffValues,
  handoffAuthSchema,
  idPattern,
  type NewHandoff,
  newId,
  type Principal,
} from '@code-executor/contracts';
import { AppError } from '@code-executor/platform';
import type { Kysely, Selectable } from 'kysely';
import { visibleText } from '../approvals/display.ts';
import { assertServer } from '../calls/may-call.ts';
import type { ConnectedIntegration, ConnectionAdministration } from '../connections/port.ts';
import type { HandoffAdministration } from './port.ts';
import type { HandoffTables } from './tables.ts';

export interface HandoffDependencies {
  readonly db: Kysely<HandoffTables>;
  readonly workspaceId: string;
  readonly now: () => number;
  readonly connections: Pick<ConnectionAdministration, 'addConnection' | 'listConnections'>;
  /** @throws AppError SERVER_NOT_FOUND */
  integrationOf(slug: string): { readonly slug: string; readonly connected: ConnectedIntegration | null };
}

export interface Handoffs extends HandoffAdministration {
  create(asker: Principal, approver: Principal, wanted: NewHandoff): Promise<{ readonly id: string; readonly expiresAt: string }>;
}

type HandoffRow = Selectable<HandoffTables['handoffs']>;

const LIFE_MS = 60 * 60 * 1_000;
const ID = idPattern('hnd');

/** Who has the address can do nothing with it: the secret is taken from a person's own key, once, for the integration as it was. */
export function createHandoffs({ db, workspaceId, now, connections, integrationOf }: HandoffDependencies): Handoffs {
  return {
    async create(asker, approver, { integration, name, owner, auth }) {
      const { slug, url } = destinationOf(integration);
      const at = now();
      const id = newId('hnd', at);
      const expiresAt = new Date(at + LIFE_MS);
      await db
        .insertInto('handoffs')
        .values({
          id,
          workspace_id: workspaceId,
          integration: slug,
          url,
          name,
          owner,
          owner_id: owner === 'principal' ? asker.id : null,
          auth: JSON.stringify(auth),
          asked_by: asker.id,
          approved_by: approver.id,
          created_at: new Date(at),
          expires_at: expiresAt,
        })
        .execute();
      return { id, expiresAt: expiresAt.toISOString() };
    },

    async getHandoff(principal, handoffId) {
      const row = await find(principal, handoffId);
      return shown(row, (await begun(principal, row)) === null ? statusOf(row) : 'open');
    },

    async completeHandoff(principal, handoffId, values) {
      const row = await find(principal, handoffId);
      const auth = authOf(row);
      const given = filledIn(auth, values);
      const before = await begun(principal, row);
      if (before !== null) return before;
      if (statusOf(row) !== 'open') throw over(row);
      const { url } = destinationOf(row.integration);
      if (url !== row.url)
        throw new AppError(
          'HANDOFF_USED',
          `${row.integration} is not what it was: its calls go to another place now. Let a new one be made`,
        );
      // Before the connection is made, so that of two people one makes it.
      if (!(await take(row.id))) throw over(row);
      try {
        const { integration, name } = row;
        const owner = row.owner_id === null ? { owner: 'workspace' as const } : { owner: 'principal' as const, principalId: row.owner_id };
        return await connections.addConnection(principal, { integration, name, ...owner, auth: given });
      } catch (error) {
        await db.updateTable('handoffs').set({ used_at: null }).where('id', '=', row.id).execute();
        throw error;
      }
    },
  };

  async function find(principal: Principal, id: string): Promise<HandoffRow> {
    if (principal.role === 'agent')
      throw new AppError('FORBIDDEN', 'Secrets are entered by people: this takes the key of an operator or an admin');
    const row = ID.test(id)
      ? await db
          .selectFrom('handoffs')
          .selectAll()
          .where('id', '=', id)
          .where('workspace_id', '=', principal.workspaceId)
          .executeTakeFirst()
      : undefined;
    if (row === undefined) throw new AppError('HANDOFF_NOT_FOUND', 'There is no such handoff; the agent can ask for a new one');
    assertServer(principal, row.integration);
    return row;
  }

  /** The connection that was made, as long as its person has not come back from the consent page: they may go there again. */
  async function begun(principal: Principal, row: HandoffRow): Promise<ConnectionRecord | null> {
    if (row.used_at === null || row.expires_at.getTime() <= now() || authOf(row).type !== 'oauth2') return null;
    const { items } = await connections.listConnections(principal, { integration: row.integration, limit: 1_000 });
    const isIt = ({ name, principalId, status }: ConnectionRecord) =>
      name === row.name && principalId === row.owner_id && status === 'needs_authorization';
    return items.find(isIt) ?? null;
  }

  async function take(id: string): Promise<boolean> {
    const at = new Date(now());
    const taken = await db
      .updateTable('handoffs')
      .set({ used_at: at })
      .where('id', '=', id)
      .where('used_at', 'is', null)
      .where('expires_at', '>', at)
      .returning('id')
      .executeTakeFirst();
    return taken !== undefined;
  }

  function destinationOf(integration: string): { readonly slug: string; readonly url: string } {
    const { slug, connected } = integrationOf(integration);
    if (connected === null || connected.url === null) throw new AppError('INVALID_REQUEST', `${slug} takes no credential over a network`);
    return { slug, url: connected.url };
  }

  function statusOf({ used_at, expires_at }: HandoffRow): Handoff['status'] {
    if (used_at !== null) return 'used';
    return expires_at.getTime() <= now() ? 'expired' : 'open';
  }

  function over(row: HandoffRow): AppError {
    const why = statusOf(row) === 'expired' ? 'has expired' : 'was used already';
    return new AppError('HANDOFF_USED', `This handoff ${why}; the agent can ask for a new one`);
  }

  function shown(row: HandoffRow, status: Handoff['status']): Handoff {
    const auth = authOf(row);
    return {
      id: row.id,
      status,
      integration: row.integration,
      url: visibleText(row.url),
      name: row.name,
      owner: row.owner_id === null ? 'workspace' : 'principal',
      auth,
      fields: [...HANDOFF_FIELDS[auth.type]],
      optionalFields: [...HANDOFF_OPTIONAL_FIELDS[auth.type]],
      askedBy: row.asked_by,
      approvedBy: row.approved_by,
      expiresAt: row.expires_at.toISOString(),
    };
  }
}

const authOf = ({ auth }: HandoffRow): HandoffAuth => handoffAuthSchema.parse(JSON.parse(auth));

/** @throws AppError INVALID_REQUEST naming the fields, and nothing of what was entered. */
function filledIn(auth: HandoffAuth, values: HandoffValues): ConnectionAuth {
  const fields: readonly string[] = HANDOFF_FIELDS[auth.type];
  const optional: readonly string[] = HANDOFF_OPTIONAL_FIELDS[auth.type];
  const known = [...fields, ...optional];
  const { token = '', username = '', password = '', value = '' } = values;
  const isWhole = fields.every((field) => (values[field] ?? '') !== '') && Object.keys(values).every((field) => known.includes(field));
  if (!isWhole && optional.length > 0) throw new AppError('INVALID_REQUEST', `values: nothing, or any of ${optional.join(', ')}`);
  if (!isWhole) throw new AppError('INVALID_REQUEST', `values: enter ${fields.join(' and ')}`);
  if (auth.type === 'oauth2') return oauthOf(auth, values);
  if (auth.type === 'bearer') return { type: 'bearer', token };
  if (auth.type === 'basic') return { type: 'basic', username, password };
  return { ...auth, value };
}

function oauthOf(auth: HandoffAuth & { readonly type: 'oauth2' }, { clientId, clientSecret, issuer }: HandoffValues): ConnectionAuth {
  if (clientSecret !== undefined && clientId === undefined)
    throw new AppError('INVALID_REQUEST', 'values: clientSecret goes with clientId');
  if (issuer !== undefined && !(URL.canParse(issuer) && /^https?:$/.test(new URL(issuer).protocol)))
    throw new AppError('INVALID_REQUEST', 'values: issuer is the http:// or https:// address of the authorization server');
  return {
    ...auth,
    ...(clientId === undefined ? {} : { clientId }),
    ...(clientSecret === undefined ? {} : { clientSecret }),
    ...(issuer === undefined ? {} : { issuer }),
  };
}
