import type { Principal, Role } from '@code-executor/contracts';
import type { JWK } from 'jose';
import type { ClientMetadata, OAuthClient } from './clients.ts';

/** What a client asks for at the authorization endpoint, checked. */
export interface AuthorizationRequest {
  readonly client: OAuthClient;
  readonly redirectUri: string;
  readonly challenge: string;
  readonly state: string | null;
  /** The highest role that was asked for. */
  readonly role: Role;
  readonly resource: string;
}

export interface AuthorizationQuery {
  readonly response_type?: string | undefined;
  readonly client_id?: string | undefined;
  readonly redirect_uri?: string | undefined;
  readonly code_challenge?: string | undefined;
  readonly code_challenge_method?: string | undefined;
  readonly state?: string | undefined;
  readonly scope?: string | undefined;
  readonly resource?: string | undefined;
}

/** `page`: there is nowhere safe to redirect to; `redirect`: the client is told. */
export type AuthorizationAnswer =
  | { readonly kind: 'ask'; readonly request: AuthorizationRequest }
  | { readonly kind: 'page'; readonly message: string }
  | {
      readonly kind: 'redirect';
      readonly redirectUri: string;
      readonly state: string | null;
      readonly code: string;
      readonly message: string;
    };

export interface TokenAnswer {
  readonly access_token: string;
  readonly token_type: 'Bearer';
  /** Seconds. */
  readonly expires_in: number;
  readonly refresh_token: string;
  readonly scope: string;
}

export interface DeviceRequest {
  readonly userCode: string;
  readonly clientName: string;
  readonly role: Role;
}

export interface GrantRecord {
  readonly id: string;
  readonly clientId: string;
  readonly clientName: string;
  readonly principalId: string;
  readonly consentingKeyId: string;
  readonly role: Role;
  readonly createdAt: string;
  readonly expiresAt: string;
  readonly revokedAt: string | null;
}

/** One origin of this service as its clients see it: what tokens are for, and who issues them. */
export interface OAuthOrigin {
  readonly issuer: string;
  /** Whether `resource` (RFC 8707) names this service. */
  isOwn(resource: string): boolean;
  readonly defaultResource: string;
}

/**
 * An OAuth 2.1 authorization server for this service alone. A human consents with an API key of theirs; the client gets a
 * principal of its own, which is never above the consented role, and dies with the key that consented. Throws OAuthRefusal.
 */
export interface OAuthServer {
  register(metadata: ClientMetadata): Promise<OAuthClient>;
  checkAuthorization(query: AuthorizationQuery, origin: OAuthOrigin): Promise<AuthorizationAnswer>;
  /** The code. */
  consent(request: AuthorizationRequest, human: Principal, role: Role): Promise<string>;
  exchangeCode(given: {
    readonly clientId: string;
    readonly code: string;
    /** OAuth 2.1 no longer asks for it here; where it comes it must be the same. */
    readonly redirectUri: string | undefined;
    readonly verifier: string;
    readonly resource: string | undefined;
    readonly origin: OAuthOrigin;
  }): Promise<TokenAnswer>;
  /** Once for each token: used again, the grant ends for everybody who holds a part of it. */
  refresh(given: {
    readonly clientId: string;
    readonly token: string;
    readonly scope: string | undefined;
    readonly origin: OAuthOrigin;
  }): Promise<TokenAnswer>;

  beginDevice(given: {
    readonly clientId: string;
    readonly scope: string | undefined;
    readonly resource: string | undefined;
    readonly origin: OAuthOrigin;
  }): Promise<{
    readonly deviceCode: string;
    readonly userCode: string;
    readonly expiresInSeconds: number;
    readonly intervalSeconds: number;
  }>;
  /** null: there is no such code, or none any more. */
  findDevice(userCode: string): Promise<DeviceRequest | null>;
  /** `role` null: the human says no. false: the code ran out meanwhile. */
  decideDevice(userCode: string, human: Principal, role: Role | null): Promise<boolean>;
  pollDevice(given: { readonly clientId: string; readonly deviceCode: string; readonly origin: OAuthOrigin }): Promise<TokenAnswer>;

  /** An access or a refresh token of this client: its grant ends. Says nothing of tokens that there are not. */
  revokeToken(clientId: string, token: string): Promise<void>;
  listGrants(principal: Principal): Promise<GrantRecord[]>;
  /** null: there is none. */
  revokeGrant(principal: Principal, grantId: string): Promise<GrantRecord | null>;

  /** null: no token of ours, or one that holds no more. A revoked grant is noticed within two seconds. */
  authenticate(token: string): Promise<Principal | null>;
  publishedKeys(): Promise<readonly JWK[]>;
}
