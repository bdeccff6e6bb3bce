/**
 * What generated wrappers import. Calls leave through the seam that the runner put in place before the program started; in a process
 * without one (a child process, say) a call fails with TOOL_CHANNEL_UNAVAILABLE.
 */
interface Seam {
  call(tool: string, args: unknown): Promise<unknown>;
  discover(operation: string, params: unknown): Promise<unknown>;
  metaOf(value: unknown): unknown;
}

// Held here: a program that replaces globals later does not redirect its own calls by accident.
const seam = (globalThis as { [key: symbol]: unknown })[Symbol.for('code-executor')] as Seam | undefined;

/** Calls a tool by its address, `server.tool`. What comes back is taken for what the wrapper's signature says. */
export function $call<Result>(tool: string, args: unknown): Promise<Result> {
  if (seam === undefined) return Promise.reject(unavailable());
  return seam.call(tool, args === undefined ? {} : args) as Promise<Result>;
}

/**
 * Runs a skill here, in the program that imports it, with that program's own rights. The call is made first: there its arguments are
 * checked, and a policy may refuse it or ask a person.
 */
export async function $skill<Result>(address: string, body: (args: unknown) => Promise<unknown>, args: unknown): Promise<Result> {
  const given = args === undefined ? {} : args;
  await $call(address, given);
  const value = await body(given);
  return (typeof value === 'function' ? await value(given) : value) as Result;
}

/** One that is written in another language. */
export function $foreignSkill(address: string, language: string): Promise<never> {
  const [server, name] = address.split('.');
  const advice = `POST /tools/invoke/${server}/${name} runs it by itself`;
  return Promise.reject(new Error(`${address} is written in ${language} and can be imported by ${language} programs alone; ${advice}.`));
}

/** Asks the catalog. */
// biome-ignore lint/suspicious/noExplicitAny: the caller's signature says what comes back
export function $discover(operation: string, params: unknown): Promise<any> {
  if (seam === undefined) return Promise.reject(unavailable());
  return seam.discover(operation, params);
}

/** What is known of the answer that a value or error came with. */
export const $metaOf = (value: unknown): unknown => seam?.metaOf(value) ?? null;

function unavailable(): Error {
  const error = new Error('This process has no tool channel: tools can be called from the program itself, not from processes it starts.');
  error.name = 'ToolError';
  return Object.assign(error, { code: 'TOOL_CHANNEL_UNAVAILABLE' });
}
