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
