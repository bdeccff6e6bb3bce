import {
  type ConnectionAuth,
  HANDOFF_FIELDS,
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
  readonly addConnection: ConnectionAdministration['addConnection'];
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
export function createHandoffs({ db, workspaceId, now, addConnection, integrationOf }: HandoffDependencies): Handoffs {
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
      return shown(await find(principal, handoffId));
    },

    async completeHandoff(principal, handoffId, values) {
      const row = await find(principal, handoffId);
      const auth = authOf(row);
      const given = filledIn(auth, values);
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
        return await addConnection(principal, { integration, name, ...owner, auth: given });
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

  function shown(row: HandoffRow): Handoff {
    const auth = authOf(row);
    return {
      id: row.id,
      status: statusOf(row),
      integration: row.integration,
      url: visibleText(row.url),
      name: row.name,
      owner: row.owner_id === null ? 'workspace' : 'principal',
      auth,
      fields: [...HANDOFF_FIELDS[auth.type]],
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
  const { token = '', username = '', password = '', value = '' } = values;
  const isWhole = fields.every((field) => (values[field] ?? '') !== '') && Object.keys(values).every((field) => fields.includes(field));
  if (!isWhole) throw new AppError('INVALID_REQUEST', `values: enter ${fields.join(' and ')}`);
  if (auth.type === 'bearer') return { type: 'bearer', token };
  if (auth.type === 'basic') return { type: 'basic', username, password };
  return { ...auth, value };
}
