import { writeFileSync } from 'node:fs';
import type { Handler, Options } from '../command/command.ts';
import type { Context } from '../command/context.ts';
import { textOption } from '../command/option-values.ts';

export const generateOpenApi: Handler = async (context, { options }) => {
  const document = await exported(context, options);
  const output = textOption(options.output);
  if (output === undefined) {
    context.terminal.out(`${JSON.stringify(document, null, 2)}\n`);
    return 0;
  }
  const { url } = await context.server();
  writeFileSync(output, `${JSON.stringify({ ...document, servers: [{ url }] }, null, 2)}\n`);
  context.note(`Wrote ${output}: ${Object.keys(Object(document.paths)).length} operations.`);
  return 0;
};

export const generateTypeScript: Handler = async (context, { options }) => {
  const [{ typeScriptClient }, document] = await Promise.all([import('./typescript-client.ts'), exported(context, options)]);
  const { source, tools } = typeScriptClient(document);
  const output = textOption(options.output);
  if (output !== undefined) {
    writeFileSync(output, source);
    context.note(`Wrote ${output}: ${tools} tools.`);
  }
  if (context.json) context.answer({ file: output ?? null, tools, ...(output === undefined ? { source } : {}) }, () => '');
  else if (output === undefined) context.terminal.out(source);
  return 0;
};

async function exported(context: Context, options: Options): Promise<Readonly<Record<string, unknown>>> {
  const server = textOption(options.source);
  const client = await context.client();
  return await client.tools.openapi(server === undefined ? {} : { server }, { signal: context.signal, timeoutMs: 600_000 });
}
