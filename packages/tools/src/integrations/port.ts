import type { DetectedIntegration, IntegrationKind, IntegrationRecord, Principal, RefreshedIntegration } from '@code-executor/contracts';

/** Body of `POST /integrations`. A document that is not fetched comes as UTF-8, and is the tool domain's own from then on. */
export interface NewIntegration {
  readonly slug: string;
  /** Absent: to be found out. */
  readonly kind?: IntegrationKind | undefined;
  readonly url?: string | undefined;
  readonly document?: Uint8Array<ArrayBuffer> | undefined;
  readonly baseUrl?: string | undefined;
  readonly headers?: Readonly<Record<string, string>> | undefined;
  readonly command?: string | undefined;
  readonly args?: readonly string[] | undefined;
  readonly env?: Readonly<Record<string, string>> | undefined;
  readonly cwd?: string | undefined;
  readonly trust?: boolean | 'annotations' | undefined;
  readonly lazy?: boolean | undefined;
  readonly timeoutMs?: number | undefined;
  readonly readOnlyTools?: readonly string[] | undefined;
  readonly sandbox?: { readonly mounts?: readonly string[] | undefined; readonly network?: boolean | undefined } | undefined;
}

/** Body of `POST /integrations/:slug/refresh`. */
export interface IntegrationChange {
  /** In place of the one that was uploaded before. */
  readonly document?: Uint8Array<ArrayBuffer> | undefined;
  readonly baseUrl?: string | undefined;
}

/** What the gateway asks of integrations. */
export interface IntegrationAdministration {
  listIntegrations(principal: Principal): Promise<readonly IntegrationRecord[]> | readonly IntegrationRecord[];
  getIntegration(principal: Principal, slug: string): Promise<IntegrationRecord> | IntegrationRecord;
  /** @throws AppError INTEGRATION_EXISTS, INTEGRATION_INVALID, INTEGRATION_UNREACHABLE, OUTBOUND_REFUSED */
  addIntegration(principal: Principal, integration: NewIntegration): Promise<IntegrationRecord>;
  /** What lies at an address. @throws like `addIntegration` */
  detectIntegration(principal: Principal, url: string): Promise<DetectedIntegration>;
  removeIntegration(principal: Principal, slug: string): Promise<void>;
  /** Lists the tools again: reconnects where needed, or reads the document anew. */
  refreshIntegration(principal: Principal, slug: string, change?: IntegrationChange): Promise<RefreshedIntegration>;
}
