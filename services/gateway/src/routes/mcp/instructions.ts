/** What every client shows its model; each session pays for it, so it stays below 400 tokens (tokens.test.ts counts). */
export const INSTRUCTIONS = `Work by writing one short program instead of making many tool calls: the tools of all connected servers are typed functions inside the sandbox of \`execute\`.
1. Find tools with search_tools, read signatures with describe_tool.
2. Run a program with execute.
TypeScript: \`import { read_text_file } from '/workspace/servers/filesystem/read_text_file.js'; const text = await read_text_file({ path: '/data/a.txt' }); return text.length;\` or, without an import, \`await tools.filesystem.read_text_file({...})\`.
Python: \`from servers.filesystem import read_text_file\`, keyword arguments, the last expression is the result.
3. Chain, loop, filter and join in the program, and return only what you need: everything printed or returned costs tokens.
There is no network but the tools. Files left in /workspace/artifacts come back as images or links. The same sessionId keeps files and variables.
A failed program has error.code and message: mend it and run again; effects "some" or "unknown" means that calls may have acted already.
status "paused": a call waits for a human's approval. Show them approval.url, then call resume. You cannot approve yourself.`;
