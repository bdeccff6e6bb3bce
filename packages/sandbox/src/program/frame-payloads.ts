import { DISCOVERY_OPERATIONS, type DiscoveryOperation, type ExecutionError } from '@code-executor/contracts';
import { parseHostileJson } from './checked-json.ts';
import { type PositionMap, toUserPosition } from './position-map.ts';

/** Deep enough for any arguments of a real tool, shallow enough for every recursion behind it. */
const CALL_DEPTH = 128;
const FLAT_DEPTH = 8;
const TEXT_UNITS = 20_000;

export interface CallFrame {
  readonly id: number;
  readonly tool: string;
  /** Not checked to be an object. */
  readonly args: unknown;
  /** What the program learnt from its clocks since its last call. */
  readonly journal?: CallJournal | undefined;
}

export interface CallJournal {
  readonly clock: Readonly<Record<string, readonly number[]>>;
  /** Why a second run would not be the same. */
  readonly tainted?: string | undefined;
}

/** Null: no call, and nothing to answer it by. */
export function readCall(payload: Buffer): CallFrame | null {
  const fields = readFields(payload, CALL_DEPTH) ?? headOf(payload);
  if (fields === null || !isCallId(fields.id) || typeof fields.tool !== 'string' || fields.tool.length > 512) return null;
  const journal = readJournal(fields.journal);
  return { id: fields.id, tool: fields.tool, args: fields.args, ...(journal === null ? {} : { journal }) };
}

const JOURNAL_MAXIMUM = 4_200;

/** A program that writes it itself misleads its own repetition alone. */
function readJournal(value: unknown): CallJournal | null {
  if (typeof value !== 'object' || value === null) return null;
  const { clock, tainted } = value as { readonly clock?: unknown; readonly tainted?: unknown };
  const lists = typeof clock === 'object' && clock !== null ? Object.entries(clock) : [];
  const isWhole = lists.every(
    ([name, list]) => /^[a-z]$/.test(name) && Array.isArray(list) && list.length <= JOURNAL_MAXIMUM && list.every(Number.isFinite),
  );
  if (!isWhole) return { clock: {}, tainted: 'its journal cannot be read' };
  const kept = Object.fromEntries(lists) as Record<string, number[]>;
  return { clock: kept, ...(typeof tainted === 'string' ? { tainted: tainted.slice(0, 100) } : {}) };
}

export interface DiscoverFrame {
  readonly id: number;
  readonly operation: DiscoveryOperation | null;
  readonly params: unknown;
}

export function readDiscover(payload: Buffer): DiscoverFrame | null {
  const fields = readFields(payload, CALL_DEPTH) ?? headOf(payload);
  if (fields === null || !isCallId(fields.id)) return null;
  const operation = DISCOVERY_OPERATIONS.find((known) => known === fields.op) ?? null;
  return { id: fields.id, operation, params: fields.params };
}

export function readStarted(payload: Buffer): { readonly promisesResult: boolean } | null {
  const fields = readFields(payload, FLAT_DEPTH);
  return fields === null || typeof fields.promisesResult !== 'boolean' ? null : { promisesResult: fields.promisesResult };
}

/** What a program may say of its own end; it has no word in how the service ended it. */
const FAILURE_CODES = ['SYNTAX_ERROR', 'UNCAUGHT', 'EXITED', 'RESULT_TOO_LARGE', 'RESULT_NOT_SERIALIZABLE'];

export function readFailure(payload: Buffer, positions: PositionMap): ExecutionError | null {
  const fields = readFields(payload, FLAT_DEPTH);
  if (fields === null || typeof fields.message !== 'string') return null;
  const code = FAILURE_CODES.find((known) => known === fields.code) ?? 'UNCAUGHT';
  const file = typeof fields.file === 'string' ? fields.file.slice(0, 512) : undefined;
  const at = isPosition(fields.line) && isPosition(fields.column) ? { line: fields.line, column: fields.column } : undefined;
  return {
    code,
    message: fields.message.slice(0, TEXT_UNITS),
    ...(at === undefined ? {} : file === undefined ? toUserPosition(positions, at) : at),
    ...(typeof fields.stack === 'string' ? { stack: mapStack(fields.stack.slice(0, TEXT_UNITS), positions) } : {}),
    ...(file === undefined ? {} : { details: { file } }),
  };
}

/** Frames read `main.ts:3:9`. */
function mapStack(stack: string, positions: PositionMap): string {
  return stack.replace(/(?<![\w./-])main\.ts:(\d{1,9}):(\d{1,9})/g, (_, line: string, column: string) => {
    const at = toUserPosition(positions, { line: Number(line), column: Number(column) });
    return `main.ts:${at.line}:${at.column}`;
  });
}

function readFields(payload: Buffer, maxDepth: number): Record<string, unknown> | null {
  const parsed = parseHostileJson(payload.toString('utf8'), maxDepth);
  if (parsed === null || typeof parsed.value !== 'object' || parsed.value === null || Array.isArray(parsed.value)) return null;
  // Own fields only, whatever `__proto__` says.
  return Object.assign(Object.create(null) as Record<string, unknown>, parsed.value);
}

/**
 * Of a frame that nests too deep: the id and the name that runners write first, without the arguments. A program that means no harm
 * may send one, and would wait for its answer for good.
 */
function headOf(payload: Buffer): Record<string, unknown> | null {
  const head = /^\{"id":(\d{1,15}),"(tool|op)":"([^"\\]{1,512})"/.exec(payload.toString('utf8', 0, 1024));
  return head === null ? null : { id: Number(head[1]), tool: head[2] === 'tool' ? head[3] : undefined };
}

const isCallId = (value: unknown): value is number => Number.isSafeInteger(value) && (value as number) > 0;
const isPosition = (value: unknown): value is number => Number.isSafeInteger(value) && (value as number) > 0 && (value as number) < 1e9;
