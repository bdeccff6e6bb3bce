import type { IntegrationRecord } from '@code-executor/contracts';
import { AppError } from '@code-executor/platform';
import type { Catalog } from '../catalog/catalog.ts';
import { callsGoTo, isManagedDocument, type ManagedDocument } from '../sources/documents/managed-document.ts';
import { isBuiltIn, type ManagedServer } from '../sources/source.ts';

/** An integration as people see it, without its secrets. */
export function integrationRecord(managed: ManagedServer, catalog: Catalog): IntegrationRecord {
  const { state, reason, restarts, progress } = managed.state();
  return {
    slug: managed.slug,
    kind: kindOf(managed),
    origin: managed.origin,
    state,
    reason,
    progress: progress ?? null,
    toolCount: catalog.tools(managed.slug).size,
    trust: managed.trust === 'by-name' ? 'annotations' : managed.trust,
    warnings: [...managed.warnings()],
    restarts,
    document: isManagedDocument(managed) ? documentOf(managed) : null,
  };
}

function kindOf({ slug, kind }: ManagedServer): IntegrationRecord['kind'] {
  if (isBuiltIn(kind)) throw new AppError('SERVER_NOT_FOUND', `${slug} is no integration`);
  return kind;
}

function documentOf(managed: ManagedDocument): IntegrationRecord['document'] {
  const { title, version, why, operations, securitySchemes, readAt } = managed.record;
  return {
    title,
    version,
    format: why,
    baseUrl: callsGoTo(managed),
    operations,
    securitySchemes: securitySchemes.map(({ name, type }) => ({ name, type })),
    readAt,
  };
}
