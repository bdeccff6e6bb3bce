import type { GraphqlBinding } from './binding.ts';
import { callerSelection } from './caller-selection.ts';

/** Lines of the document before a caller's selection begins. */
export const LINES_BEFORE_SELECTION = 2;

export interface BuiltOperation {
  readonly query: string;
  readonly operationName: string;
  readonly variables: Readonly<Record<string, unknown>>;
}

/** The request document of one call. @throws AppError INVALID_ARGUMENTS for a selection that cannot be one. */
export function buildOperation(binding: GraphqlBinding, args: Readonly<Record<string, unknown>>): BuiltOperation {
  const { operation, field, selectArgument } = binding;
  const names = Object.keys(binding.variables);
  const declared = names.map((name) => `$${name}: ${binding.variables[name]}`).join(', ');
  const passed = names.map((name) => `${name}: $${name}`).join(', ');
  const operationName = `${field.charAt(0).toUpperCase()}${field.slice(1)}`;
  const selection = selectionOf(binding, selectArgument === null ? undefined : args[selectArgument]);
  const head = `${operation} ${operationName}${declared === '' ? '' : `(${declared})`} {`;
  const call = `${field}${passed === '' ? '' : `(${passed})`}`;
  const query = selection === null ? `${head}\n${call}\n}` : `${head}\n${call} {\n${selection}\n}\n}`;
  const variables = Object.fromEntries(names.filter((name) => args[name] !== undefined).map((name) => [name, args[name]]));
  return { query, operationName, variables };
}

function selectionOf({ selection, selectArgument }: GraphqlBinding, given: unknown): string | null {
  if (selection === null || selectArgument === null || typeof given !== 'string') return selection;
  return callerSelection(given, selectArgument);
}
