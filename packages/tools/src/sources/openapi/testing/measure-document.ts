import { Ajv2020 } from 'ajv/dist/2020.js';
import addFormats from 'ajv-formats';
import { DOCUMENT_KINDS } from '../../kinds.ts';
import type { DocumentKind } from '../../port.ts';

export interface Measured {
  readonly operations: number;
  readonly tools: number;
  readonly distinct: number;
  readonly ms: number;
  /** By which the process grew at most; of use in a fresh one. */
  readonly megabytes: number;
  readonly schemasKb: number;
  readonly largestSchemas: number;
  readonly failures: readonly string[];
}

/** Reads one document. Compiling takes far longer, so of many tools only every `share`-th is compiled. */
export async function measureDocument(kindName: DocumentKind, text: string, share: number): Promise<Measured> {
  const kind = DOCUMENT_KINDS.get(kindName);
  if (kind === undefined) throw new Error(`no kind ${kindName}`);
  const before = process.resourceUsage().maxRSS;
  const startedMs = performance.now();
  const { tools, operations } = await kind.parse(
    { text, url: null },
    { fetchText: () => Promise.reject(new Error('it refers to no other file')), onProgress: () => undefined },
  );
  const ms = Math.round(performance.now() - startedMs);
  const megabytes = Math.round((process.resourceUsage().maxRSS - before) / 1024);
  const failures: string[] = [];
  const ajv = new Ajv2020({ strict: false, validateSchema: false, addUsedSchema: false, logger: false });
  addFormats.default(ajv as unknown as Parameters<typeof addFormats.default>[0]);
  for (const tool of tools.filter((_, index) => index % share === 0)) {
    for (const schema of [tool.inputSchema, tool.outputSchema]) {
      try {
        if (schema !== undefined) ajv.compile(schema);
      } catch (error) {
        failures.push(`${tool.name}: ${String(error).slice(0, 200)}`);
      }
    }
  }
  const sizes = tools.map((tool) => JSON.stringify(tool.inputSchema).length + JSON.stringify(tool.outputSchema ?? true).length);
  return {
    operations,
    tools: tools.length,
    distinct: new Set(tools.map(({ name }) => name.toLowerCase())).size,
    ms,
    megabytes,
    largestSchemas: Math.max(...sizes),
    schemasKb: Math.round(sizes.reduce((sum, size) => sum + size, 0) / 1024),
    failures,
  };
}
