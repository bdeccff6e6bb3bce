import type { SecurityScheme } from '../../../connections/port.ts';
import { type DocumentSet, isReference } from '../document/document-set.ts';
import { isRecord, listOf, recordOf, textOf } from '../document/is-record.ts';
import { credentialPlace } from './parameters.ts';

const MOST_SCHEMES = 50;

/** The ways of authentication that the document declares, those that a connection can take. */
export function securitySchemesOf(documents: DocumentSet, baseUrl: string | null, warn: (message: string) => void): SecurityScheme[] {
  const { root, rootFile } = documents;
  const declared = root.swagger === undefined ? recordOf(root.components, 'securitySchemes') : recordOf(root, 'securityDefinitions');
  const schemes: SecurityScheme[] = [];
  for (const [name, given] of Object.entries(declared).slice(0, MOST_SCHEMES)) {
    const value = isReference(given) ? documents.resolve(given.$ref, rootFile)?.value : given;
    const scheme = isRecord(value) ? schemeOf(name, value, baseUrl) : null;
    if (scheme === null) warn(`Security scheme ${JSON.stringify(name.slice(0, 100))} is none that a connection can take`);
    else schemes.push(scheme);
  }
  return schemes;
}

function schemeOf(name: string, value: Readonly<Record<string, unknown>>, baseUrl: string | null): SecurityScheme | null {
  switch (value.type) {
    case 'apiKey': {
      const place = value.in;
      const parameter = textOf(value, 'name');
      if (parameter === undefined || (place !== 'header' && place !== 'query' && place !== 'cookie')) return null;
      // A bearer token that is written down as a key, as Kubernetes does.
      if (place === 'header' && parameter.toLowerCase() === 'authorization' && /bearer/i.test(`${name} ${String(value.description)}`)) {
        return { name, type: 'bearer' };
      }
      return { name, type: 'apiKey', in: place, parameter };
    }
    case 'basic':
      return { name, type: 'basic' };
    case 'http': {
      const scheme = String(value.scheme).toLowerCase();
      return scheme === 'bearer' || scheme === 'basic' ? { name, type: scheme } : null;
    }
    case 'oauth2':
      return oauth2(name, value, baseUrl);
    case 'openIdConnect':
      return { name, type: 'bearer' };
    default:
      return null;
  }
}

/** The flow that suits a service best: with a browser once, then without anyone. */
function oauth2(name: string, value: Readonly<Record<string, unknown>>, baseUrl: string | null): SecurityScheme {
  const flows = recordOf(value, 'flows');
  const flow =
    value.flow === undefined
      ? ['authorizationCode', 'clientCredentials', 'password', 'implicit'].map((kind) => flows[kind]).find(isRecord)
      : value;
  const url = (key: string): string | undefined => {
    const text = textOf(flow, key);
    try {
      return text === undefined ? undefined : baseUrl?.startsWith('http') === true ? new URL(text, baseUrl).href : new URL(text).href;
    } catch {
      // Not an address: the operator has to give one.
      return undefined;
    }
  };
  const authorizationUrl = url('authorizationUrl');
  const tokenUrl = url('tokenUrl');
  return {
    name,
    type: 'oauth2',
    ...(authorizationUrl === undefined ? {} : { authorizationUrl }),
    ...(tokenUrl === undefined ? {} : { tokenUrl }),
    scopes: Object.keys(recordOf(flow, 'scopes')).slice(0, 500),
  };
}

/** Parameters that a scheme fills, as `argumentsOf` names them. */
export function credentialPlacesOf(schemes: readonly SecurityScheme[]): Set<string> {
  return new Set(schemes.flatMap((scheme) => (scheme.type === 'apiKey' ? [credentialPlace(scheme.in, scheme.parameter)] : [])));
}

/** Names of schemes that an operation wants, each list an alternative. */
export function securityOf(operation: Readonly<Record<string, unknown>>, root: Readonly<Record<string, unknown>>): string[][] {
  const given = Array.isArray(operation.security) ? operation.security : listOf(root, 'security');
  return given
    .filter(isRecord)
    .slice(0, 20)
    .map((alternative) => Object.keys(alternative).slice(0, 10));
}
