import { hash } from 'node:crypto';
import type { Method } from './operations.ts';

const LONGEST_SEGMENT = 64;
const MOST_SEGMENTS = 8;
const LONGEST_NAME = 200;
const SHORTEST_DIGEST = 6;

/** What a tool's name is made from. `method` and `path` together are unique in a document. */
export interface Nameable {
  readonly method: Method;
  readonly path: string;
  readonly tag: string | null;
  readonly operationId: string | null;
}

/**
 * A name for each operation, in their order: `issues.create`, from tag and operationId, or method and path where there is none. Names are distinct,
 * also to who does not heed case, and depend on the set of operations, not on their order.
 */
export function toolNames(operations: readonly Nameable[]): string[] {
  const wanted = operations.map(plainName);
  const claims = new Map<string, number>();
  for (const name of wanted) claims.set(name.toLowerCase(), (claims.get(name.toLowerCase()) ?? 0) + 1);
  const names = new Map<number, string>();
  const taken = new Set<string>();
  for (const [index, name] of wanted.entries()) {
    if (claims.get(name.toLowerCase()) !== 1) continue;
    names.set(index, name);
    taken.add(name.toLowerCase());
  }
  const rivals = operations
    .map((operation, index) => ({ index, name: wanted[index] ?? '', place: `${operation.method} ${operation.path}` }))
    .filter(({ index }) => !names.has(index))
    .sort((a, b) => (a.place < b.place ? -1 : 1));
  for (const { index, name, place } of rivals) {
    const digest = hash('sha256', place);
    let distinct = name;
    for (let length = SHORTEST_DIGEST; distinct === name || taken.has(distinct.toLowerCase()); length += 2) {
      distinct = withSuffix(name, digest.slice(0, length));
    }
    names.set(index, distinct);
    taken.add(distinct.toLowerCase());
  }
  return operations.map((_, index) => names.get(index) ?? '');
}

function plainName(operation: Nameable): string {
  const own = segments(operation.operationId ?? '');
  const group = segments((operation.tag ?? '').replace(/\//g, '_')).map((segment) => segment.toLowerCase());
  const action = own.length > 0 ? own : [fromPath(operation)];
  const parts = [...group, ...withoutGroup(action, group)].slice(-MOST_SEGMENTS);
  const name = parts.map(bounded).join('.');
  return name.length <= LONGEST_NAME ? name : bounded(parts.join('_'));
}

/** `repos/list-for-org` → `repos`, `list_for_org`. */
const segments = (text: string): string[] =>
  text
    .slice(0, 500)
    .split(/[./]/)
    .map((part) => part.replace(/[^A-Za-z0-9]+/g, '_').replace(/^_+|_+$/g, ''))
    .filter((part) => part !== '');

/** An operationId that begins with its tag does not say it twice: tag `chat`, `chat_postMessage` → `postMessage`. */
function withoutGroup(action: readonly string[], group: readonly string[]): readonly string[] {
  if (group.length === 0) return action;
  const flat = action.join('_');
  const prefix = `${group.join('_')}_`;
  if (flat.length <= prefix.length || flat.slice(0, prefix.length).toLowerCase() !== prefix) return action;
  let dropped = prefix.length;
  const rest: string[] = [];
  for (const segment of action) {
    if (dropped > segment.length) dropped -= segment.length + 1;
    else {
      rest.push(segment.slice(dropped));
      dropped = 0;
    }
  }
  return rest.filter((segment) => segment !== '');
}

/** `GET /pets/{petId}/toys` → `get_pets_by_petId_toys`. */
function fromPath({ method, path }: Nameable): string {
  const words = path
    .slice(0, 1_000)
    .split('/')
    .map((segment) =>
      segment
        .replace(/\{([^{}]*)\}/g, ' by $1 ')
        .replace(/[^A-Za-z0-9]+/g, '_')
        .replace(/^_+|_+$/g, ''),
    )
    .filter((word) => word !== '');
  return [method, ...(words.length === 0 ? ['root'] : words)].join('_');
}

function bounded(segment: string): string {
  if (segment.length <= LONGEST_SEGMENT) return segment;
  return `${segment.slice(0, LONGEST_SEGMENT - SHORTEST_DIGEST - 1)}_${hash('sha256', segment).slice(0, SHORTEST_DIGEST)}`;
}

function withSuffix(name: string, suffix: string): string {
  const dot = name.lastIndexOf('.');
  return `${name.slice(0, dot + 1)}${name.slice(dot + 1, dot + LONGEST_SEGMENT - suffix.length)}_${suffix}`;
}
