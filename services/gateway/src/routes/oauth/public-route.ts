/** Of what OAuth has anybody ask: no key, not in /openapi.json, since RFCs describe it. */
export const PUBLIC_ROUTE = { config: { access: 'public' as const }, schema: { hide: true } as object };
