import { AppError } from '@code-executor/platform';
import type { Kysely } from 'kysely';
import type { NewIntegration } from '../port.ts';
import type { ToolTables } from '../tables.ts';
import type { Seal } from './seal.ts';

/** Integrations that were added through the API. Whatever may hold a secret is sealed: address, headers, arguments, environment. */
export interface IntegrationStore {
  load(): Promise<NewIntegration[]>;
  /** @throws AppError INTEGRATION_EXISTS where another process was first. */
  save(integration: NewIntegration): Promise<void>;
  remove(slug: string): Promise<void>;
}

const SEALED_FIELDS = ['url', 'headers', 'args', 'env'] as const;

export function createIntegrationStore(db: Kysely<ToolTables>, workspaceId: string, seal: Seal): IntegrationStore {
  const place = (slug: string): string => `integration ${workspaceId}/${slug}`;
  return {
    async load() {
      const rows = await db
        .selectFrom('integrations')
        .selectAll()
        .where('workspace_id', '=', workspaceId)
        .orderBy('created_at')
        .orderBy('slug')
        .execute();
      return rows.map((row) => {
        const open = JSON.parse(row.definition) as NewIntegration;
        const sealed =
          row.sealed_secrets === null ? {} : (JSON.parse(seal.open(row.sealed_secrets, place(row.slug))) as Partial<NewIntegration>);
        return { ...open, ...sealed };
      });
    },
    async save(integration) {
      const open: Record<string, unknown> = { ...integration };
      const sealed: Record<string, unknown> = {};
      for (const field of SEALED_FIELDS) {
        if (integration[field] !== undefined) sealed[field] = integration[field];
        delete open[field];
      }
      const written = await db
        .insertInto('integrations')
        .values({
          workspace_id: workspaceId,
          slug: integration.slug,
          kind: integration.kind,
          definition: JSON.stringify(open),
          sealed_secrets: seal.seal(JSON.stringify(sealed), place(integration.slug)),
          created_at: new Date(),
        })
        .onConflict((conflict) => conflict.columns(['workspace_id', 'slug']).doNothing())
        .returning('slug')
        .execute();
      if (written.length === 0) throw new AppError('INTEGRATION_EXISTS', `There is an integration ${integration.slug} already`);
    },
    async remove(slug) {
      await db.deleteFrom('integrations').where('workspace_id', '=', workspaceId).where('slug', '=', slug).execute();
    },
  };
}
