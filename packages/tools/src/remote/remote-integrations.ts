import type { IntegrationRecord, Principal, RefreshedIntegration } from '@code-executor/contracts';
import type { IntegrationAdministration } from '../integrations/port.ts';
import type { Ask } from './remote-ask.ts';

/** A change whose document travels as it is, behind the question: written as JSON, a large one would hold this process up. */
export type SendDocument = <Answer>(
  method: keyof IntegrationAdministration,
  principal: Principal,
  given: readonly unknown[],
  document: Uint8Array | undefined,
) => Promise<Answer>;

/** Integrations as the MCP proxy answers for them. */
export const remoteIntegrations = (read: Ask, change: Ask, send: SendDocument): IntegrationAdministration => ({
  listIntegrations: (principal) => read('listIntegrations', principal),
  getIntegration: (principal, slug) => read('getIntegration', principal, slug),
  addIntegration: (principal, { document, ...integration }) =>
    send<IntegrationRecord>('addIntegration', principal, [integration], document),
  detectIntegration: (principal, url) => change('detectIntegration', principal, url),
  removeIntegration: (principal, slug) => change('removeIntegration', principal, slug),
  refreshIntegration: (principal, slug, { document, ...change } = {}) =>
    send<RefreshedIntegration>('refreshIntegration', principal, [slug, change], document),
});
