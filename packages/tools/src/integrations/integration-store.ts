import { AppError } from '@code-executor/platform';
import type { Kysely } from 'kysely';
import type { SourceRecord } from '../sources/documents/source-record.ts';
import type { ToolTables } from '../tables.ts';
import type { NewIntegration } from './port.ts';
import type { Seal } from './seal.ts';

/** An integration as it is kept: its document is not. */
export interface StoredIntegration {
  readonly definition: Omit<NewIntegration, 'document' | 'kind'> & { readonly kind: NonNullable<NewIntegration['kind']> };
  /** What its document said; null for a kind without one, and while the document is read for the first time. */
  readonly source: SourceRecord | null;
}

/** Integrations that were added through the API. Whatever may hold a secret is sealed: address, headers, arguments, environment. */
export interface IntegrationStore {
  load(): Promise<StoredIntegration[]>;
  /** @throws AppError INTEGRATION_EXISTS where another process was first. */
  save(integration: StoredIntegration): Promise<void>;
  /** @throws AppError SERVER_NOT_FOUND where another process has removed it. */
  update(integration: StoredIntegration): Promise<void>;
  remove(slug: string): Promise<void>;
}

const SEALED_FIELDS = ['url', 'headers', 'args', 'env'] as const;

export function createIntegrationStore(db: Kysely<ToolTables>, workspaceId: string, seal: Seal): IntegrationStore {
  const place = (slug: string): string => `integration ${workspaceId}/${slug}`;

  function columnsOf({ definition, source }: StoredIntegration) {
    const open: Record<string, unknown> = { ...definition };
    const sealed: Record<string, unknown> = {};
    for (const field of SEALED_FIELDS) {
      if (definition[field] !== undefined) sealed[field] = definition[field];
      delete open[field];
    }
    return {
      kind: definition.kind,
      definition: JSON.stringify(open),
      sealed_secrets: seal.seal(JSON.stringify(sealed), place(definition.slug)),
      source: source === null ? null : JSON.stringify(source),
    };
  }

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
        const open = JSON.parse(row.definition) as StoredIntegration['definition'];
        const sealed =
          row.sealed_secrets === null ? {} : (JSON.parse(seal.open(row.sealed_secrets, place(row.slug))) as Partial<NewIntegration>);
        return {
          definition: { ...open, ...sealed } as StoredIntegration['definition'],
          source: row.source === null ? null : (JSON.parse(row.source) as SourceRecord),
        };
      });
    },
    async save(integration) {
      const { slug } = integration.definition;
      const written = await db
        .insertInto('integrations')
        .values({ workspace_id: workspaceId, slug, ...columnsOf(integration), created_at: new Date() })
        .onConflict((conflict) => conflict.columns(['workspace_id', 'slug']).doNothing())
        .returning('slug')
        .execute();
      if (written.length === 0) throw new AppError('INTEGRATION_EXISTS', `There is an integration ${slug} already`);
    },
    async update(integration) {
      const { slug } = integration.definition;
      const written = await db
        .updateTable('integrations')
        .set(columnsOf(integration))
        .where('workspace_id', '=', workspaceId)
        .where('slug', '=', slug)
        .returning('slug')
        .execute();
      if (written.length === 0) throw new AppError('SERVER_NOT_FOUND', `The integration ${slug} was removed in the meantime`);
    },
    async remove(slug) {
      await db.deleteFrom('integrations').where('workspace_id', '=', workspaceId).where('slug', '=', slug).execute();
    },
  };
}
