import { isAbsolute } from 'node:path';
import { messageOf } from '@code-executor/platform';
import { z } from 'zod';
import { parsePattern } from '../../policies/pattern.ts';
import { resolveReferences } from './references.ts';
import { collectSecrets, type SecretValues } from './secrets.ts';

export interface StdioTransportEntry {
  readonly kind: 'stdio';
  readonly command: string;
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly cwd: string | null;
  /** Null: the host's file system as the service sees it. Otherwise only these, and a read-only system. */
  readonly mounts: readonly { readonly path: string; readonly readOnly: boolean }[] | null;
  readonly network: boolean;
}

export interface HttpTransportEntry {
  readonly kind: 'http';
  readonly url: string;
  /** As it was given but for user name and password: whether it is plain decides what it opens. */
  readonly spelledUrl: string;
  readonly headers: Readonly<Record<string, string>>;
  /** `auto`: streamable HTTP, then SSE where the server does not speak it. */
  readonly mode: 'auto' | 'sse';
}

export interface McpServerEntry {
  readonly slug: string;
  readonly origin: 'file' | 'api';
  readonly trust: boolean | 'annotations';
  readonly lazy: boolean;
  readonly callTimeoutMs: number;
  /** Patterns of tool names that the operator declares free of effects. */
  readonly readOnlyTools: readonly string[];
  readonly transport: StdioTransportEntry | HttpTransportEntry;
  readonly warnings: readonly string[];
  readonly hidden: SecretValues;
}

/** A server that cannot be started as it is written; the others are not concerned. */
export interface BrokenEntry {
  readonly slug: string;
  readonly origin: 'file' | 'api';
  readonly trust: boolean | 'annotations';
  readonly problem: string;
  readonly warnings: readonly string[];
}

export type ParsedEntry = { readonly entry: McpServerEntry } | { readonly broken: BrokenEntry } | { readonly disabled: string };

const DEFAULT_CALL_TIMEOUT_MS = 60_000;
const trustSchema = z.union([z.boolean(), z.literal('annotations')], { error: 'must be true, false or "annotations"' });
const entrySchema = z.object({
  command: z.string().min(1, 'must not be empty').optional(),
  args: z.array(z.string()).optional(),
  env: z.record(z.string(), z.string()).optional(),
  cwd: z.string().optional(),
  url: z.string().optional(),
  headers: z.record(z.string(), z.string()).optional(),
  type: z.enum(['stdio', 'http', 'streamable-http', 'streamableHttp', 'sse']).optional(),
  transport: z.enum(['stdio', 'http', 'streamable-http', 'streamableHttp', 'sse']).optional(),
  disabled: z.boolean().optional(),
  trust: trustSchema.optional(),
  lazy: z.boolean().optional(),
  timeoutMs: z.int().min(1).max(3_600_000).optional(),
  readOnlyTools: z.array(z.string().min(1)).optional(),
  sandbox: z.strictObject({ mounts: z.array(z.string().min(1)).optional(), network: z.boolean().optional() }).optional(),
});
const KNOWN_FIELDS = new Set(Object.keys(entrySchema.shape));

/** Reads one entry in the shape of desktop clients. Never throws: what is wrong is the entry's own problem, named with its field. */
export function parseServerEntry(
  slug: string,
  raw: unknown,
  options: { readonly origin: 'file' | 'api'; readonly environment: Readonly<Record<string, string | undefined>> },
): ParsedEntry {
  const warnings = unknownFields(raw);
  const broken = (problem: string, trust: boolean | 'annotations' = 'annotations'): ParsedEntry => ({
    broken: { slug, origin: options.origin, trust, problem, warnings },
  });
  const parsed = entrySchema.safeParse(raw);
  if (!parsed.success)
    return broken(parsed.error.issues.map((issue) => `${issue.path.map(String).join('.') || 'entry'}: ${issue.message}`).join('; '));
  const fields = parsed.data;
  if (fields.disabled === true) return { disabled: slug };
  const trust = fields.trust ?? 'annotations';

  const hidden = collectSecrets();
  const missing: string[] = [];
  const resolve = (text: string, field: string, nameIsSecret?: 'always'): string => {
    const resolved = resolveReferences(text, options.environment);
    for (const { name, value } of resolved.values) hidden.add(name, value, nameIsSecret);
    for (const name of resolved.missing) missing.push(`${field}: the environment variable ${name} is not set`);
    return resolved.text;
  };

  try {
    for (const [index, name] of (fields.readOnlyTools ?? []).entries()) checkToolPattern(slug, name, index);
    const transport = readTransport(fields, resolve, hidden);
    if (missing.length > 0) return broken(missing.join('; '), trust);
    return {
      entry: {
        slug,
        origin: options.origin,
        trust,
        lazy: fields.lazy ?? false,
        callTimeoutMs: fields.timeoutMs ?? DEFAULT_CALL_TIMEOUT_MS,
        readOnlyTools: fields.readOnlyTools ?? [],
        transport,
        warnings,
        hidden,
      },
    };
  } catch (error) {
    return broken(messageOf(error), trust);
  }
}

function checkToolPattern(slug: string, name: string, index: number): void {
  try {
    parsePattern(`${slug}.${name}`);
  } catch (error) {
    throw new Error(`readOnlyTools.${index}: ${messageOf(error)}`);
  }
}

type Fields = z.infer<typeof entrySchema>;
type Resolve = (text: string, field: string, always?: 'always') => string;

function readTransport(
  fields: Fields,
  resolve: Resolve,
  hidden: ReturnType<typeof collectSecrets>,
): StdioTransportEntry | HttpTransportEntry {
  if (fields.command !== undefined && fields.url !== undefined) throw new Error('url: give either a command or a url, not both');
  if (fields.command !== undefined) return readStdio(fields, fields.command, resolve, hidden);
  if (fields.url !== undefined) return readHttp(fields, fields.url, resolve, hidden);
  throw new Error('command: give a command (stdio) or a url (HTTP)');
}

function readStdio(fields: Fields, command: string, resolve: Resolve, hidden: ReturnType<typeof collectSecrets>): StdioTransportEntry {
  const env: Record<string, string> = {};
  for (const [name, text] of Object.entries(fields.env ?? {})) {
    if (!/^[^=\0]+$/.test(name)) throw new Error(`env.${name}: this cannot be the name of an environment variable`);
    const value = resolve(text, `env.${name}`);
    if (value.includes('\0')) throw new Error(`env.${name}: must not contain a NUL character`);
    hidden.add(name, value);
    env[name] = value;
  }
  const args = (fields.args ?? []).map((arg, index) => resolve(arg, `args.${index}`));
  for (const [index, arg] of args.entries()) hideArgument(arg, args[index - 1] ?? '', hidden);
  const cwd = fields.cwd === undefined ? null : resolve(fields.cwd, 'cwd');
  if (cwd !== null && !isAbsolute(cwd)) throw new Error(`cwd: must be an absolute path`);
  const mounts = fields.sandbox?.mounts?.map((mount, index) => {
    const text = resolve(mount, `sandbox.mounts.${index}`);
    const readOnly = text.endsWith(':ro');
    const path = readOnly ? text.slice(0, -3) : text;
    if (!isAbsolute(path)) throw new Error(`sandbox.mounts.${index}: must be an absolute path, with ":ro" behind it for read-only`);
    return { path, readOnly };
  });
  return {
    kind: 'stdio',
    command: resolve(command, 'command'),
    args,
    env,
    cwd,
    mounts: mounts ?? null,
    network: fields.sandbox?.network ?? true,
  };
}

/** `--api-key abc` and `--api-key=abc`. */
function hideArgument(arg: string, before: string, hidden: ReturnType<typeof collectSecrets>): void {
  const pair = /^(--?[\w-]+)=(.*)$/s.exec(arg);
  if (pair?.[1] !== undefined && pair[2] !== undefined) hidden.add(pair[1], pair[2]);
  else if (before.startsWith('-') && !before.includes('=') && !arg.startsWith('-')) hidden.add(before, arg);
}

function readHttp(fields: Fields, address: string, resolve: Resolve, hidden: ReturnType<typeof collectSecrets>): HttpTransportEntry {
  const text = resolve(address, 'url');
  const url = URL.canParse(text) ? new URL(text) : null;
  if (url === null || (url.protocol !== 'http:' && url.protocol !== 'https:'))
    throw new Error('url: must be an http:// or https:// address');
  for (const [name, value] of url.searchParams) hidden.add(name, value);
  for (const part of [url.password, url.username]) if (part !== '') hidden.add('userinfo', decodeURIComponent(part), 'always');
  const headers: Record<string, string> = {};
  for (const [name, value] of Object.entries(fields.headers ?? {})) {
    const resolved = resolve(value, `headers.${name}`, 'always');
    if (!/^[\w!#$%&'*+.^`|~-]+$/.test(name)) throw new Error(`headers.${name}: this cannot be the name of a header`);
    if (/[^\t\x20-\x7e\x80-\xff]/.test(resolved)) throw new Error(`headers.${name}: the value has characters that a header cannot carry`);
    hidden.add(name, resolved, 'always');
    headers[name] = resolved;
  }
  if (url.username !== '' || url.password !== '') {
    // fetch refuses an address with userinfo.
    const basic = Buffer.from(`${decodeURIComponent(url.username)}:${decodeURIComponent(url.password)}`).toString('base64');
    headers.authorization = `Basic ${basic}`;
    hidden.add('authorization', headers.authorization, 'always');
    url.username = '';
    url.password = '';
  }
  const spelledUrl = text.replace(/^([a-z]+:\/\/)[^/?#\\]*@/i, '$1');
  return { kind: 'http', url: url.href, spelledUrl, headers, mode: (fields.type ?? fields.transport) === 'sse' ? 'sse' : 'auto' };
}

function unknownFields(raw: unknown): string[] {
  if (typeof raw !== 'object' || raw === null) return [];
  return Object.keys(raw)
    .filter((field) => !KNOWN_FIELDS.has(field))
    .map((field) => `${field.slice(0, 80)}: unknown field, ignored`);
}
