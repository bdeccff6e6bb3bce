/** An address as a caller wrote it, taken apart. */
export interface ToolAddress {
  /** `integration.tool`, without the connection. */
  readonly address: string;
  /** Of `integration@connection.tool`; null: none is named. */
  readonly connection: string | null;
}

/** Names of connections have neither dots nor at signs, slugs of integrations no at signs: nothing else can be meant. */
export function splitAddress(text: string): ToolAddress {
  const dot = text.indexOf('.');
  const at = text.indexOf('@');
  if (at < 1 || dot === -1 || at > dot) return { address: text, connection: null };
  return { address: `${text.slice(0, at)}${text.slice(dot)}`, connection: text.slice(at + 1, dot) };
}

/** `github` of `github@work`. */
export function withoutConnection(server: string): string {
  const at = server.indexOf('@');
  return at < 1 ? server : server.slice(0, at);
}
