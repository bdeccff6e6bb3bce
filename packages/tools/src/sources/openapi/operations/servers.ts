import { isRecord, listOf, recordOf, textOf } from '../document/is-record.ts';

/** Where a 2.0 document sends its calls; null: it does not say. */
export function baseUrlOfSwagger(root: Readonly<Record<string, unknown>>, documentUrl: string | null): string | null {
  const schemes = listOf(root, 'schemes').filter((scheme) => scheme === 'https' || scheme === 'http');
  const host = textOf(root, 'host');
  const basePath = textOf(root, 'basePath') ?? '';
  if (host === undefined) return basePath === '' && documentUrl === null ? null : absolute(basePath === '' ? '/' : basePath, documentUrl);
  const own = documentUrl?.startsWith('http:') === true ? 'http' : 'https';
  const scheme = schemes.includes('https') ? 'https' : (schemes[0] ?? own);
  return absolute(`${String(scheme)}://${host}${basePath.startsWith('/') || basePath === '' ? '' : '/'}${basePath}`, documentUrl);
}

/** The first of the servers that can be called, its variables filled with their defaults; null: none is given. */
export function serverUrl(servers: readonly unknown[], documentUrl: string | null): string | null {
  const urls = servers.filter(isRecord).map((server) => withDefaults(server));
  const known = urls.find((url) => url !== null && !/^(?!https?:)[a-z][a-z0-9+.-]*:/i.test(url) && !/[{}]/.test(url));
  return known === undefined || known === null ? null : absolute(known, documentUrl);
}

function withDefaults(server: Readonly<Record<string, unknown>>): string | null {
  const url = textOf(server, 'url');
  if (url === undefined || url.length > 2_000) return null;
  const variables = recordOf(server, 'variables');
  return url.replace(/\{([^{}]+)\}/g, (whole, name: string) => {
    const variable = recordOf(variables, name);
    const [first] = listOf(variable, 'enum');
    const value = variable.default ?? first;
    return typeof value === 'string' || typeof value === 'number' ? String(value) : whole;
  });
}

/** Without a slash at its end, as paths bring their own. Relative where the document has no address. */
function absolute(url: string, documentUrl: string | null): string | null {
  try {
    if (documentUrl === null && !/^[a-z][a-z0-9+.-]*:/i.test(url)) {
      const text = url.startsWith('//') ? `https:${url}` : url;
      return text.startsWith('https:') ? trimmed(new URL(text)) : text.replace(/\/+$/, '') || null;
    }
    return trimmed(documentUrl === null ? new URL(url) : new URL(url, documentUrl));
  } catch {
    // No address: as if it were not there.
    return null;
  }
}

function trimmed(url: URL): string {
  url.hash = '';
  url.username = '';
  url.password = '';
  return url.href.replace(/\/+$/, '');
}
