/** One request to an upstream, and its whole answer. Header names are lower case in answers. */
export interface OutboundRequest {
  readonly method: string;
  readonly url: string;
  readonly headers?: Readonly<Record<string, string>> | undefined;
  readonly body?: string | Uint8Array | FormData | undefined;
  /** Of the whole exchange, redirects included. */
  readonly timeoutMs: number;
  /** An answer that is larger is refused with REPLY_TOO_LARGE and not read on. Default 8 MB. */
  readonly maximumBytes?: number | undefined;
  /** 0 answers a redirect as it is. Credentials go to the first origin only. Default 5. */
  readonly redirects?: number | undefined;
  readonly signal: AbortSignal;
}

export interface OutboundResponse {
  readonly status: number;
  /** Several of one name are joined by `, `. */
  readonly headers: Readonly<Record<string, string>>;
  /** Decompressed. */
  readonly body: Uint8Array;
  /** After redirects. */
  readonly url: string;
}

/**
 * The one way to an upstream over HTTP. Addresses of the machine itself, of private networks and of metadata services are refused
 * unless listed, judged on the address that is connected to.
 */
export interface OutboundHttp {
  /**
   * @throws AppError OUTBOUND_REFUSED (nothing was sent, but where `details.redirectedFrom` names who redirected there),
   * UPSTREAM_UNAVAILABLE (nothing was sent), UPSTREAM_LOST, TOOL_TIMEOUT, REPLY_TOO_LARGE, INVALID_ARGUMENTS (a header that cannot be
   * sent); the signal's reason.
   */
  request(request: OutboundRequest): Promise<OutboundResponse>;
  /** The same guard for who needs a `fetch`: the MCP SDK, an OAuth library. Bodies stream and have no time limit but the signal. */
  readonly fetch: typeof fetch;
}

/** The guard of a whole process. */
export interface GuardedHttp extends OutboundHttp {
  /**
   * The same guard for one integration, which may also reach the origin of this address. `operator`: the servers file names
   * it, like an entry of EXECUTOR_OUTBOUND_ALLOW. `admin`: an admin key spelled it out in `url` or `baseUrl`; counts for what `originWarning`
   * speaks of, and not at all in strict mode. Any other address adds nothing.
   */
  withOrigin(url: string, spelledOutBy: 'operator' | 'admin'): OutboundHttp;
  /** What is to be said in the record of an integration whose address an admin key gives; null: the address opens nothing. */
  warningOf(url: string): string | null;
  close(): Promise<void>;
}
