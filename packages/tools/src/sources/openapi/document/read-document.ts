import { AppError, messageOf } from '@code-executor/platform/errors';

/** Larger texts are not taken for YAML when they fail as JSON: reading them so would take minutes. */
const LARGEST_FLOW_YAML = 1024 * 1024;
/** Aliases that one document may resolve, those inside of anchors counted again for each. */
const MOST_ALIASES = 10_000;

/** A JSON or YAML text as a value. @throws AppError INTEGRATION_INVALID with line and column. */
export async function readDocument(text: string, what: string): Promise<unknown> {
  const body = text.charCodeAt(0) === 0xfeff ? text.slice(1) : text;
  if (/^\s*$/.test(body.slice(0, 10_000)) && body.trim() === '') throw new AppError('INTEGRATION_INVALID', `${what} is empty`);
  return /^\s*[{[]/.test(body.slice(0, 10_000)) ? await readJson(body, what) : await readYaml(body, what);
}

async function readJson(text: string, what: string): Promise<unknown> {
  try {
    return JSON.parse(text);
  } catch (error) {
    // Quoted keys are JSON's; a slip in it may well make YAML of another meaning.
    if (text.length <= LARGEST_FLOW_YAML && !/^\s*\{\s*"/.test(text)) {
      try {
        return await readYaml(text, what);
      } catch (yamlError) {
        // The JSON parser's word counts for what looks like JSON.
        if (!(yamlError instanceof AppError)) throw yamlError;
      }
    }
    throw new AppError('INTEGRATION_INVALID', `${what} is no valid JSON: ${jsonFault(text, error)}`, { cause: error });
  }
}

/** `Expected ',' … (line 3 column 7)`: Node names the line for most faults and a position for the others. */
function jsonFault(text: string, error: unknown): string {
  const message = messageOf(error).slice(0, 300);
  if (/line \d+ column \d+/.test(message)) return message;
  const position = Number(/position (\d+)/.exec(message)?.[1] ?? text.length);
  const before = text.slice(0, position).split('\n');
  return `${message} (line ${before.length} column ${(before.at(-1)?.length ?? 0) + 1})`;
}

async function readYaml(text: string, what: string): Promise<unknown> {
  // Most documents are JSON, and the library is large.
  const { LineCounter, parseDocument } = await import('yaml');
  const lines = new LineCounter();
  try {
    const document = parseDocument(text, {
      lineCounter: lines,
      prettyErrors: true,
      // Compares each key with all before it; a list of a million keys would never end.
      uniqueKeys: false,
      merge: true,
      schema: 'core',
      logLevel: 'silent',
      stringKeys: true,
    });
    const [fault] = document.errors;
    if (fault !== undefined) {
      const { line, col } = lines.linePos(fault.pos[0]);
      const message = (fault.message.split('\n')[0] ?? '').replace(/ at line \d+, column \d+:?$/, '');
      throw new AppError('INTEGRATION_INVALID', `${what} is no valid YAML: ${message.slice(0, 300)} (line ${line} column ${col})`);
    }
    return document.toJS({ maxAliasCount: MOST_ALIASES });
  } catch (error) {
    if (error instanceof AppError) throw error;
    // The library raises a ReferenceError for aliases without an anchor or without an end, and runs out of stack on deep nesting.
    const reason = error instanceof RangeError ? 'it nests too deep' : messageOf(error).slice(0, 300);
    throw new AppError('INTEGRATION_INVALID', `${what} is no valid YAML: ${reason}`, { cause: error });
  }
}
