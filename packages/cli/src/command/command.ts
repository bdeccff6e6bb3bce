import type { Context } from './context.ts';

export interface Option {
  readonly type: 'boolean' | 'string';
  readonly short?: string;
  /** What stands for the value in the help. */
  readonly value?: string;
  readonly multiple?: boolean;
  readonly help: string;
}

export type Options = Readonly<Record<string, string | boolean | readonly (string | boolean)[] | undefined>>;

export interface Invocation {
  /** The name of the command. */
  readonly command: string;
  readonly words: readonly string[];
  readonly options: Options;
  /** What follows the words unparsed, for commands that are `open`. */
  readonly rest: readonly string[];
}

/** Answers an exit code; nothing is 0. */
export type Handler = (context: Context, invocation: Invocation) => Promise<number | undefined>;

export interface Command {
  /** The words that call it: `approvals approve`. */
  readonly name: string;
  readonly summary: string;
  /** What follows the name: `<id>` has to be there, `[path]` may be, `…` repeats the one before. */
  readonly words?: string;
  readonly options?: Readonly<Record<string, Option>>;
  readonly examples: readonly string[];
  readonly details?: string;
  /** After so many words everything is left to the handler, options too. */
  readonly openAfter?: number;
  /** Where the first word is such a one, everything is read as ever. */
  readonly closedFor?: RegExp;
  /** Shown in no list. */
  readonly hidden?: boolean;
  /** The shape of what `--json` prints, for docs and tests: an operation of the HTTP API, or a schema of `json-schemas.ts`. */
  readonly json?: { readonly operation: string } | { readonly schema: string };
  readonly load: () => Promise<Handler>;
}

/** A mistake of who typed it: answered with the command's usage. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}
