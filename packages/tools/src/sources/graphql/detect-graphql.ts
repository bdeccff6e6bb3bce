import type { SourceDocument } from '../port.ts';
import { introspectionOf } from './introspection-of.ts';

const OTHER_KINDS = /^\s*["']?(?:openapi|swagger|discoveryVersion)["']?\s*:/m;
const DEFINITION =
  /^[ \t]*(?:schema\s*(?:@[^{\n]*)?\{|(?:extend\s+)?(?:type|interface|input|enum)\s+[_A-Za-z]\w*[^{}:;=]*\{|union\s+\w+\s*(?:@[^=\n]*)?=|scalar\s+[A-Z]\w*[ \t]*(?:@.*)?$)/m;

/** Why a document is a GraphQL schema; null: it is none. */
export function detectGraphql(document: SourceDocument): string | null {
  const text = document.text.replace(/^\uFEFF/, '');
  if (/^\s*\{/.test(text)) return isIntrospection(text) ? 'GraphQL introspection result' : null;
  return DEFINITION.test(text) && !OTHER_KINDS.test(text) ? 'GraphQL schema' : null;
}

function isIntrospection(text: string): boolean {
  if (!text.includes('"__schema"')) return false;
  try {
    return introspectionOf(JSON.parse(text)) !== null;
  } catch (error) {
    if (error instanceof SyntaxError || error instanceof RangeError) return false;
    throw error;
  }
}
