/** A secret, or where the service reads it at each use. */
export type SecretInput = string | { readonly provider: 'file' | 'env' | 'vault'; readonly key: string };

export type ConnectionAuth =
  | { readonly type: 'bearer'; readonly token: SecretInput }
  | {
      readonly type: 'apiKey' | 'api_key';
      readonly value?: SecretInput;
      readonly key?: SecretInput;
      readonly token?: SecretInput;
      /** Left out: as the integration's document declares it. */
      readonly in?: 'header' | 'query' | 'cookie';
      readonly name?: string;
      readonly scheme?: string;
    }
  | { readonly type: 'basic'; readonly username: SecretInput; readonly password: SecretInput }
  | { readonly type: 'headers'; readonly headers: Record<string, SecretInput> }
  | {
      readonly type: 'oauth2' | 'oauth';
      readonly grant?: 'authorization_code' | 'client_credentials';
      readonly clientId?: string;
      readonly clientSecret?: SecretInput;
      readonly clientAuthentication?: 'client_secret_basic' | 'client_secret_post' | 'none';
      readonly scopes?: string[];
      readonly issuer?: string;
      readonly authorizationUrl?: string;
      readonly tokenUrl?: string;
      readonly resource?: string;
      readonly audience?: string;
      readonly parameters?: Record<string, string>;
      readonly refreshToken?: string;
      readonly accessToken?: string;
    };

export interface NewConnection {
  readonly integration: string;
  readonly name: string;
  readonly owner: 'workspace' | 'principal';
  /** By an admin: whose it is. */
  readonly principalId?: string;
  readonly auth: ConnectionAuth;
  readonly default?: boolean;
}

export interface ConnectionChange {
  readonly auth?: ConnectionAuth;
  readonly default?: true;
}

/** A connection as it is shown: where its values lie, and none of them. */
export interface Connection {
  readonly id: string;
  readonly integration: string;
  readonly name: string;
  readonly owner: 'workspace' | 'principal';
  readonly principalId: string | null;
  readonly default: boolean;
  /** How code names it: `integration@name`. */
  readonly address: string;
  readonly auth: {
    readonly type: 'bearer' | 'apiKey' | 'basic' | 'headers' | 'oauth2';
    readonly in?: 'header' | 'query' | 'cookie';
    readonly name?: string;
    readonly headers?: readonly string[];
    readonly grant?: 'authorization_code' | 'client_credentials';
    readonly clientId?: string;
    readonly scopes?: readonly string[];
    readonly issuer?: string;
    readonly values: Readonly<Record<string, { readonly provider: 'sealed' | 'file' | 'env' | 'vault'; readonly key?: string }>>;
  };
  readonly status: 'active' | 'needs_authorization' | 'needs_reauthorization';
  readonly reason: string | null;
  readonly expiresAt: string | null;
  readonly createdAt: string;
  readonly updatedAt: string;
}

export interface ConnectionCheck {
  readonly outcome: 'ok' | 'refused' | 'unreachable' | 'broken';
  /** Of the upstream, where it answered. */
  readonly status: number | null;
  readonly message: string | null;
}

export interface Provider {
  readonly kind: 'sealed' | 'file' | 'env' | 'vault';
  readonly configured: boolean;
  readonly description: string;
}
