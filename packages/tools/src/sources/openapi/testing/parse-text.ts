import type { ParsedSource, SourceTool } from '../../port.ts';
import type { OpenApiBinding } from '../binding.ts';
import { parseOpenApi } from '../parse-openapi.ts';

export type OpenApiTool = SourceTool<OpenApiBinding>;

/** Parses what refers to no other file, or to these. */
export function parseText(
  document: unknown,
  files: Readonly<Record<string, unknown>> = {},
  url: string | null = 'https://api.example/specs/openapi.json',
): Promise<ParsedSource<OpenApiBinding>> {
  const text = typeof document === 'string' ? document : JSON.stringify(document);
  return parseOpenApi(
    { text, url },
    {
      fetchText: async (wanted) => {
        const found = files[wanted];
        if (found === undefined) throw new Error(`no file ${wanted}`);
        return typeof found === 'string' ? found : JSON.stringify(found);
      },
      onProgress: () => undefined,
    },
  );
}

/** A document of one operation. */
export const documentOf = (operation: Record<string, unknown>, more: Record<string, unknown> = {}, place = 'post /things') => {
  const [method = 'post', path = '/things'] = place.split(' ');
  return {
    openapi: '3.0.3',
    info: { title: 'Things', version: '1' },
    servers: [{ url: 'https://api.example/v1' }],
    paths: { [path]: { [method]: { responses: {}, ...operation } } },
    ...more,
  };
};

export async function toolOf(document: unknown, files?: Readonly<Record<string, unknown>>): Promise<OpenApiTool> {
  const { tools } = await parseText(document, files);
  const [tool] = tools;
  if (tool === undefined) throw new Error('no tool');
  return tool;
}
