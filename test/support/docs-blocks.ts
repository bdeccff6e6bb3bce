import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

/** The code blocks of a page of docs/, in their order. */
export function docsBlocks(page: string): { language: string; code: string }[] {
  const text = readFileSync(fileURLToPath(new URL(`../../docs/${page}`, import.meta.url)), 'utf8');
  return [...text.matchAll(/^```(\w+)\n([\s\S]*?)^```$/gm)].map(([, language = '', code = '']) => ({ language, code }));
}
