import type { ToolDefinition } from '@code-executor/contracts';
import type { CatalogRow, CatalogStore, WrittenRow } from './catalog-store.ts';
import { definitionDigest } from './definition-digest.ts';

export interface CatalogTool {
  readonly tool: ToolDefinition;
  readonly digest: string;
  /** When the definition came to differ from the one first recorded, or last accepted; null: it does not. */
  readonly driftedAt: Date | null;
}

/** A tool as its source lists it. */
export interface ListedTool {
  readonly tool: ToolDefinition;
  /** Of the definition, and of the binding where it has one; made here where it is missing. */
  readonly digest?: string | undefined;
  /** What a call of it needs, in JSON; written down beside the definition. */
  readonly binding?: string | undefined;
}

export interface CatalogChange {
  readonly added: readonly string[];
  readonly removed: readonly string[];
  readonly changed: readonly string[];
}

/** The tools of one workspace. What it hands out is never changed: a new list is a new map, an unchanged tool the same object. */
export interface Catalog {
  version(): number;
  servers(): ReadonlyMap<string, ReadonlyMap<string, CatalogTool>>;
  tools(server: string): ReadonlyMap<string, CatalogTool>;
  /** Takes a server's list as the present one. Tools that changed are marked as drifted unless `trusted`. */
  replace(server: string, tools: readonly ListedTool[], trusted: boolean): Promise<CatalogChange>;
  /** The operator has seen these: they are no longer drifted. */
  accept(tools: readonly CatalogTool[]): Promise<void>;
  /** Hides the server's tools; with `forget` its record goes as well. */
  remove(server: string, options: { readonly forget: boolean }): Promise<void>;
  /** Takes over what another process has recorded in the meantime. */
  reload(): Promise<void>;
  onChange(listener: (server: string) => void): void;
}

export async function createCatalog(store: CatalogStore, now: () => number): Promise<Catalog> {
  const recorded = await store.load();
  const servers = new Map<string, ReadonlyMap<string, CatalogTool>>();
  const listeners: ((server: string) => void)[] = [];
  let version = 1;
  for (const [server, rows] of recorded) publish(server, rows);

  /** One change at a time: each is made from what the one before has recorded. */
  let turn: Promise<unknown> = Promise.resolve();
  function inTurn<Result>(change: () => Promise<Result>): Promise<Result> {
    const result = turn.then(change);
    turn = result.catch(() => undefined);
    return result;
  }

  function publish(server: string, rows: ReadonlyMap<string, CatalogRow>): void {
    const present = [...rows.values()].filter((row) => row.present).sort((a, b) => a.position - b.position);
    servers.set(server, new Map(present.map((row) => [row.entry.tool.name, row.entry])));
    version += 1;
    for (const listener of listeners) listener(server);
  }

  async function replace(server: string, tools: readonly ListedTool[], trusted: boolean): Promise<CatalogChange> {
    const before = recorded.get(server) ?? new Map<string, CatalogRow>();
    const after = new Map<string, CatalogRow>();
    const writes: WrittenRow[] = [];
    const change = { added: [] as string[], removed: [] as string[], changed: [] as string[] };
    for (const [position, { tool, binding, digest = definitionDigest(tool) }] of tools.entries()) {
      if (position % TOOLS_PER_SLICE === TOOLS_PER_SLICE - 1) await nextTurn();
      const known = before.get(tool.name);
      if (known?.entry.digest === digest && known.present && known.position === position) {
        after.set(tool.name, known);
        continue;
      }
      const entry =
        known?.entry.digest === digest ? known.entry : { tool, digest, driftedAt: known === undefined || trusted ? null : new Date(now()) };
      const row = { entry, position, present: true };
      if (known === undefined || !known.present) change.added.push(tool.name);
      if (known !== undefined && known.entry.digest !== digest) change.changed.push(tool.name);
      after.set(tool.name, row);
      writes.push({ ...row, binding });
    }
    for (const [name, row] of before) {
      if (after.has(name)) continue;
      const gone = row.present ? { ...row, present: false } : row;
      if (row.present) {
        change.removed.push(name);
        writes.push(gone);
      }
      after.set(name, gone);
    }
    await store.save(server, writes);
    recorded.set(server, after);
    if (writes.length > 0 || !servers.has(server)) publish(server, after);
    return change;
  }

  async function accept(tools: readonly CatalogTool[]): Promise<void> {
    for (const [server, accepted] of Map.groupBy(tools, ({ tool }) => tool.server)) {
      const rows = new Map(recorded.get(server));
      const writes: CatalogRow[] = [];
      for (const { tool } of accepted) {
        const row = rows.get(tool.name);
        if (row === undefined || row.entry.driftedAt === null) continue;
        const cleared = { ...row, entry: { ...row.entry, driftedAt: null } };
        rows.set(tool.name, cleared);
        writes.push(cleared);
      }
      if (writes.length === 0) continue;
      await store.save(server, writes);
      recorded.set(server, rows);
      publish(server, rows);
    }
  }

  async function remove(server: string, forget: boolean): Promise<void> {
    if (forget) {
      await store.forget(server);
      recorded.delete(server);
    }
    if (!servers.delete(server)) return;
    version += 1;
    for (const listener of listeners) listener(server);
  }

  async function reload(): Promise<void> {
    const stored = await store.load();
    for (const server of recorded.keys()) {
      if (stored.has(server)) continue;
      recorded.delete(server);
      await remove(server, false);
    }
    for (const [server, rows] of stored) {
      const before = recorded.get(server);
      const after = new Map([...rows].map(([name, row]) => [name, sameRow(before?.get(name), row)]));
      const isSame = before !== undefined && before.size === after.size && [...after].every(([name, row]) => before.get(name) === row);
      recorded.set(server, after);
      if (!isSame) publish(server, after);
    }
  }

  return {
    version: () => version,
    servers: () => servers,
    tools: (server) => servers.get(server) ?? NONE,
    replace: (server, tools, trusted) => inTurn(() => replace(server, tools, trusted)),
    accept: (tools) => inTurn(() => accept(tools)),
    remove: (server, { forget }) => inTurn(() => remove(server, forget)),
    reload: () => inTurn(reload),
    onChange: (listener) => void listeners.push(listener),
  };
}

/** The known row where nothing differs, and the known entry where the tool is the same: whoever compares by identity sees no change. */
function sameRow(known: CatalogRow | undefined, stored: CatalogRow): CatalogRow {
  if (known === undefined) return stored;
  const isSameTool = known.entry.digest === stored.entry.digest && known.entry.driftedAt?.getTime() === stored.entry.driftedAt?.getTime();
  if (!isSameTool) return stored;
  const isSameRow = known.position === stored.position && known.present === stored.present;
  return isSameRow ? known : { ...stored, entry: known.entry };
}

/** About 5 ms of digests. */
const TOOLS_PER_SLICE = 250;
const nextTurn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

const NONE: ReadonlyMap<string, CatalogTool> = new Map();
