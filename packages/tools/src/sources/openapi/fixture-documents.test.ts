import { execFile } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { describe, expect, test } from 'vitest';
import { parse as parseYaml } from 'yaml';
import { documentFixtures } from '../../../../../test/support/document-fixtures.ts';
import type { DocumentKind } from '../port.ts';
import { METHODS } from './operations/operations.ts';
import { type Measured, measureDocument } from './testing/measure-document.ts';
import { parseText } from './testing/parse-text.ts';

const FIXTURES = `${documentFixtures()}/`;
const RUNNER = fileURLToPath(new URL('./testing/runners/measure-document.ts', import.meta.url));
const run = promisify(execFile);

const DOCUMENTS = [
  'openapi/github-rest.json',
  'openapi/kubernetes-swagger2.json',
  'openapi/stripe-2022-02.json',
  'openapi/asana.yaml',
  'openapi/slack-web-swagger2.json',
  'openapi/adyen-checkout-v71.yaml',
  'openapi/petstore3-live.yaml',
  'openapi/petstore3-relative-server.yaml',
  'openapi/small/2.0-schema-circular.json',
  'openapi/small/3.0-circular.json',
  'openapi/small/3.0-discriminators.json',
  'openapi/small/3.0-file-uploads.json',
  'openapi/small/3.0-parameters-cookies.json',
  'openapi/small/3.0-schema-encoding-style.json',
  'openapi/small/3.0-security-multiple.json',
  'openapi/small/3.0-server-variables.json',
  'openapi/small/3.1-petstore.json',
  'openapi/small/3.1-schema-types.json',
  'discovery/calendar-v3.json',
  'discovery/drive-v3.json',
  'discovery/gmail-v1.json',
];

/** Large ones in a process of their own, whose memory can be told. */
async function measured(kind: DocumentKind, path: string, text: string, share: number): Promise<Measured> {
  if (text.length < 500_000) return measureDocument(kind, text, share);
  const { stdout } = await run(process.execPath, [RUNNER, kind, path, String(share)], { timeout: 120_000, maxBuffer: 1 << 24 });
  return JSON.parse(stdout) as Measured;
}

/** Counted without any of the code that is tried. */
function countOperations(text: string, isYaml: boolean): number {
  const document = isYaml ? parseYaml(text) : JSON.parse(text);
  if (document.resources === undefined)
    return Object.values<object>(document.paths).flatMap((item) => METHODS.filter((method) => method in item)).length;
  const methods = (resource: { methods?: object; resources?: object }): number =>
    Object.keys(resource.methods ?? {}).length + Object.values(resource.resources ?? {}).reduce((sum, nested) => sum + methods(nested), 0);
  return methods(document);
}

describe.skipIf(!existsSync(FIXTURES))('documents of real APIs (../shared/fixtures)', () => {
  const rows: Record<string, string | number>[] = [];

  test.each(DOCUMENTS)('%s becomes as many tools as it has operations, whose schemas compile', async (path) => {
    const text = readFileSync(`${FIXTURES}${path}`, 'utf8');
    const counted = countOperations(text, path.endsWith('.yaml'));
    const kind = path.startsWith('discovery') ? 'google-discovery' : 'openapi';
    const document = await measured(kind, `${FIXTURES}${path}`, text, counted > 200 ? 12 : 1);
    rows.push({
      name: path.replace(/^.*\//, ''),
      'size KB': Math.round(text.length / 1024),
      counted,
      tools: document.tools,
      ms: document.ms,
      MB: document.megabytes,
      'schemas KB': document.schemasKb,
      failures: document.failures.length,
    });
    expect(document).toMatchObject({ operations: counted, tools: counted, distinct: counted, failures: [] });
    expect(document.largestSchemas).toBeLessThan(50_000);
  });

  test('a document of webhooks alone says that there is nothing to call', async () => {
    const text = readFileSync(`${FIXTURES}openapi/small/3.1-webhooks.json`, 'utf8');
    await expect(parseText(text)).rejects.toMatchObject({ code: 'INTEGRATION_INVALID', message: expect.stringContaining('webhooks only') });
  });

  test('the table', () => {
    expect(rows).toHaveLength(DOCUMENTS.length);
    const columns = Object.keys(rows[0] ?? {});
    const line = (cells: readonly unknown[]) =>
      cells.map((cell, at) => (at === 0 ? String(cell).padEnd(36) : String(cell).padStart(11))).join('');
    process.stdout.write(`${[columns, ...rows.map((row) => columns.map((column) => row[column]))].map(line).join('\n')}\n`);
  });
});
