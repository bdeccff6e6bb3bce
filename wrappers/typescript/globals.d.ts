// biome-ignore-all lint/suspicious/noExplicitAny: what a request or an upstream carries has no type of its own
/** What a program finds without an import. */

/** The `args` of the request. */
declare const args: Record<string, any>;

/** Every tool by server and name: `await tools.filesystem.list_directory({ path: '/data' })`. */
declare const tools: CodeExecutorTools;

/** One member for each server of the catalog; the type checker adds those that a program names. */
// biome-ignore lint/suspicious/noEmptyInterface: an interface is what later declarations can add to
interface CodeExecutorTools {}

/** What a failing tool call throws. */
declare class ToolError extends Error {
  constructor(code: string, message: string, details?: unknown);
  readonly code: string;
  readonly details: any;
}

/** The runtime's own interface, where the program runs on Bun. */
declare const Bun: any;
