import { AppError } from '@code-executor/platform/errors';
import type { OpenApiBinding } from '../binding.ts';
import { encodeLiteral } from './percent-encoding.ts';
import { invalid, type Pair, pairsOf, pathText } from './serialize-parameter.ts';

/** The address of one call without the credential's part. @throws AppError INVALID_ARGUMENTS */
export function requestUrl(binding: OpenApiBinding, args: Readonly<Record<string, unknown>>, baseUrl: string): { url: URL; query: Pair[] } {
  const base = baseOf(binding, baseUrl);
  const [template = '', fixedQuery] = splitOnce(binding.path.split('#')[0] ?? '', '?');
  const path = filledPath(template, binding, args);
  const url = new URL(base.href.replace(/[?#].*$/, '').replace(/\/+$/, '') + path);
  // What stands in a path is encoded, so that nothing in it can lead elsewhere; this holds if that should ever fail.
  if (url.origin !== base.origin)
    throw new AppError('INVALID_ARGUMENTS', `The path ${JSON.stringify(template.slice(0, 200))} leads to another server`);
  const query = [...base.searchParams, ...new URLSearchParams(fixedQuery ?? '')].map(
    ([name, value]): Pair => [encodeURIComponent(name), encodeURIComponent(value)],
  );
  for (const parameter of binding.parameters) {
    const value = args[parameter.argument];
    if (parameter.in === 'query' && value !== undefined && value !== null) query.push(...pairsOf(parameter, value));
  }
  return { url, query };
}

/** `baseUrl`, or where the document sends this operation instead. An address that the operator gave stays the operator's. */
function baseOf({ server }: OpenApiBinding, baseUrl: string): URL {
  const base = absolute(baseUrl);
  if (server === undefined) return base;
  const own = new URL(server.url, base);
  const standard = server.standard === null ? base : new URL(server.standard, base);
  if (sameBase(base, standard)) return own;
  // The operator's address takes the place of the standard one; a mere difference in paths is kept.
  const ending = standard.pathname.replace(/\/+$/, '');
  const path = base.pathname.replace(/\/+$/, '');
  if (own.origin !== standard.origin || !path.endsWith(ending)) return base;
  return new URL(`${base.origin}${path.slice(0, path.length - ending.length)}${own.pathname}`);
}

function absolute(baseUrl: string): URL {
  try {
    return new URL(baseUrl);
  } catch (error) {
    throw new AppError(
      'UPSTREAM_UNAVAILABLE',
      `The integration has no address to call: ${JSON.stringify(baseUrl.slice(0, 200))} is none. Give it a baseUrl`,
      { cause: error },
    );
  }
}

const sameBase = (a: URL, b: URL): boolean => a.origin === b.origin && a.pathname.replace(/\/+$/, '') === b.pathname.replace(/\/+$/, '');

function filledPath(template: string, { parameters }: OpenApiBinding, args: Readonly<Record<string, unknown>>): string {
  const inPath = new Map(parameters.filter((parameter) => parameter.in === 'path').map((parameter) => [parameter.name, parameter]));
  const segments = template
    .replace(/^\/+/, '')
    .split(/\/(?![^{]*\})/)
    .map((segment) =>
      segment
        .split(/(\{[^{}]*\})/)
        .map((part) => {
          const parameter = part.startsWith('{') ? inPath.get(part.slice(1, -1)) : undefined;
          if (parameter === undefined) return encodeLiteral(part);
          const value = args[parameter.argument];
          // An empty one would turn `DELETE /things/{id}` into `DELETE /things/`.
          if (value === undefined || value === null || value === '' || (Array.isArray(value) && value.length === 0)) {
            throw invalid(parameter.argument, 'is part of the path and cannot be empty');
          }
          return withinPath(parameter.argument, pathText(parameter, value));
        })
        .join(''),
    );
  for (const segment of segments.flatMap((text) => text.split('/'))) {
    if (isDots(segment))
      throw new AppError(
        'INVALID_ARGUMENTS',
        `An argument makes ${JSON.stringify(segment)} a segment of the path, which would lead out of it`,
      );
  }
  return `/${segments.join('/')}`;
}

/** Addresses read `.` and `..` as steps, also when they are escaped. */
const isDots = (segment: string): boolean => /^(?:\.|%2e){1,2}$/i.test(segment);

function withinPath(argument: string, text: string): string {
  if (text.includes('/') && text.split('/').some((segment) => segment === '' || isDots(segment))) {
    throw invalid(argument, 'is a path with an empty segment or a step such as ".."');
  }
  return text;
}

function splitOnce(text: string, at: string): [string, string | undefined] {
  const index = text.indexOf(at);
  return index < 0 ? [text, undefined] : [text.slice(0, index), text.slice(index + 1)];
}
