import type {
  ConnectionChange,
  ConnectionCheck,
  ConnectionRecord,
  NewConnection,
  Principal,
  ProviderRecord,
} from '@code-executor/contracts';
import type { OutboundHttp } from '../outbound/port.ts';

/** What a connection adds to a request, resolved for one call: values, never references. It must not outlive the call. */
export interface Credential {
  readonly connectionId: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly query: Readonly<Record<string, string>>;
  readonly cookies: Readonly<Record<string, string>>;
  /** Every text in the above that nobody may see, for scrubbing what comes back. */
  readonly secrets: readonly string[];
}

/** A way of authentication that a source's document declares, so that a connection need not say where its value goes. */
export type SecurityScheme =
  | { readonly name: string; readonly type: 'apiKey'; readonly in: 'header' | 'query' | 'cookie'; readonly parameter: string }
  | { readonly name: string; readonly type: 'bearer' | 'basic' }
  | {
      readonly name: string;
      readonly type: 'oauth2';
      readonly authorizationUrl?: string | undefined;
      readonly tokenUrl?: string | undefined;
      readonly scopes: readonly string[];
    };

/** Which credential a call is made with. */
export interface CredentialRequest {
  readonly integration: string;
  /** As in `integration@connection.tool`; null: the principal's default, else the workspace's, else none. */
  readonly connection: string | null;
  readonly principal: { readonly id: string; readonly workspaceId: string };
}

export interface ResolvedConnection {
  readonly id: string;
  readonly name: string;
  readonly owner: 'workspace' | 'principal';
  /** Another one after every change of its values. */
  readonly version: number;
}

/** What tool calls ask of connections. */
export interface Connections {
  /**
   * Null: no connection applies, and the call is made without one.
   * @throws AppError CONNECTION_NOT_FOUND listing the names there are, CONNECTION_BROKEN and CONNECTION_UNAVAILABLE (nothing may be sent
   * then); the signal's reason.
   */
  credentialFor(request: CredentialRequest, signal: AbortSignal): Promise<Credential | null>;
  /** Which connection that is, without opening it: null where none applies. @throws AppError CONNECTION_NOT_FOUND */
  resolve(request: CredentialRequest): ResolvedConnection | null;
  /** The upstream answered 401 to it: a token is renewed before it is used again. */
  rejected(credential: Credential): void;
  /** With their tokens; for an integration that is removed. */
  removeOf(integration: string): Promise<void>;
}

/** An integration as its connections see it. */
export interface ConnectedIntegration {
  readonly slug: string;
  readonly schemes: readonly SecurityScheme[];
  /** Where calls go; null: over no network (a stdio server), so there is nothing a credential could be added to. */
  readonly url: string | null;
  /** The guard of this integration. */
  readonly http: OutboundHttp;
  /** A request that changes nothing. Resolves with what the upstream said against it, null: nothing. @throws like `OutboundHttp.request` */
  probe(credential: Credential, http: OutboundHttp, signal: AbortSignal): Promise<string | null>;
}

export interface ConnectionPageQuery {
  readonly integration?: string | undefined;
  readonly limit: number;
  readonly cursor?: string | undefined;
}

export interface ConnectionPage {
  readonly items: readonly ConnectionRecord[];
  readonly total: number;
  readonly nextCursor: string | null;
}

/** Where a person's browser has to go, until when. */
export interface AuthorizationStart {
  readonly url: string;
  readonly expiresAt: string;
}

/** What came of a consent page, for the person in front of it. */
export interface AuthorizationEnd {
  readonly outcome: 'done' | 'failed';
  readonly message: string;
}

export interface ResealedSecrets {
  /** Of the key that seals from now on. */
  readonly keyId: string;
  /** Keys in the file, the newest included. */
  readonly keys: number;
  readonly resealed: number;
  /** Sealed texts that are under this key now. */
  readonly total: number;
}

/** What the gateway asks of connections. */
export interface ConnectionAdministration {
  listConnections(principal: Principal, query: ConnectionPageQuery): Promise<ConnectionPage>;
  /** @throws AppError CONNECTION_NOT_FOUND */
  getConnection(principal: Principal, connectionId: string): Promise<ConnectionRecord>;
  /** @throws AppError SERVER_NOT_FOUND, CONNECTION_EXISTS, INVALID_REQUEST, FORBIDDEN */
  addConnection(principal: Principal, connection: NewConnection): Promise<ConnectionRecord>;
  changeConnection(principal: Principal, connectionId: string, change: ConnectionChange): Promise<ConnectionRecord>;
  removeConnection(principal: Principal, connectionId: string): Promise<void>;
  validateConnection(principal: Principal, connectionId: string, signal: AbortSignal): Promise<ConnectionCheck>;
  /** `redirectUri`: where the authorization server sends the browser back to. */
  startAuthorization(principal: Principal, connectionId: string, redirectUri: string): Promise<AuthorizationStart>;
  /** The parameters that the browser came back with. Never rejects for what they say. */
  finishAuthorization(parameters: Readonly<Record<string, string>>): Promise<AuthorizationEnd>;
  listProviders(principal: Principal): Promise<readonly ProviderRecord[]>;
  /** Seals anew what is not under the newest key. `newKey`: after a new one was written to the key file. */
  resealSecrets(principal: Principal, newKey: boolean): Promise<ResealedSecrets>;
}
