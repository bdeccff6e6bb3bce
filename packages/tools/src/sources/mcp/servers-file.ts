import { readFile } from 'node:fs/promises';
import { AppError, messageOf } from '@code-executor/platform';
import { type ParsedEntry, parseServerEntry } from './server-entry.ts';

const FILE_LIMIT_BYTES = 4 * 1024 * 1024;

/**
 * Reads a servers file in the `mcpServers` shape of desktop clients. A file that is not there means no servers.
 * @throws AppError INTEGRATION_INVALID where the file as a whole cannot be read; a single bad entry is only that server's problem.
 */
export async function readServersFile(
  path: string,
  environment: Readonly<Record<string, string | undefined>>,
): Promise<readonly ParsedEntry[]> {
  const text = await readText(path);
  return text === null ? [] : parseServersFile(text, path, environment);
}

export function parseServersFile(
  text: string,
  path: string,
  environment: Readonly<Record<string, string | undefined>>,
): readonly ParsedEntry[] {
  let file: unknown;
  try {
    file = JSON.parse(text.replace(/^\uFEFF/, ''));
  } catch (error) {
    // V8 quotes the text around the fault, which may be a secret: only the place is told.
    const place = /at position \d+(?: \(line \d+ column \d+\))?/.exec(messageOf(error))?.[0] ?? '';
    throw new AppError('INTEGRATION_INVALID', `${path} is not JSON: syntax error ${place}`.trimEnd());
  }
  const servers = isRecord(file) ? file.mcpServers : undefined;
  if (!isRecord(servers)) throw new AppError('INTEGRATION_INVALID', `${path}: mcpServers must be an object of servers by name`);
  const taken = new Set<string>();
  return Object.entries(servers).map(([name, raw]) => {
    const slug = slugOf(name, taken);
    taken.add(slug);
    const parsed = parseServerEntry(slug, raw, { origin: 'file', environment });
    return slug === name
      ? parsed
      : withWarning(parsed, `the name ${JSON.stringify(name.slice(0, 80))} is no slug; code and URLs call it ${slug}`);
  });
}

export const SLUG_PATTERN = /^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$/;

function slugOf(name: string, taken: ReadonlySet<string>): string {
  const fitting = SLUG_PATTERN.test(name)
    ? name
    : name
        .replace(/[^A-Za-z0-9_-]+/g, '-')
        .replace(/^[-_]+|[-_]+$/g, '')
        .slice(0, 56) || 'server';
  let slug = fitting;
  for (let count = 2; taken.has(slug); count += 1) slug = `${fitting}-${count}`;
  return slug;
}

function withWarning(parsed: ParsedEntry, warning: string): ParsedEntry {
  if ('entry' in parsed) return { entry: { ...parsed.entry, warnings: [...parsed.entry.warnings, warning] } };
  if ('broken' in parsed) return { broken: { ...parsed.broken, warnings: [...parsed.broken.warnings, warning] } };
  return parsed;
}

async function readText(path: string): Promise<string | null> {
  try {
    const bytes = await readFile(path);
    if (bytes.length > FILE_LIMIT_BYTES)
      throw new AppError('INTEGRATION_INVALID', `${path} is larger than ${FILE_LIMIT_BYTES / 1024 / 1024} MB`);
    return bytes.toString('utf8');
  } catch (error) {
    if (error instanceof AppError) throw error;
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return null;
    throw new AppError('INTEGRATION_INVALID', `${path} cannot be read: ${messageOf(error)}`, { cause: error });
  }
}

const isRecord = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null && !Array.isArray(value);
