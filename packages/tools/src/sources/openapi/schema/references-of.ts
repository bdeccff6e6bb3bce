import type { JsonSchema } from '@code-executor/contracts';

const PREFIX = '#/$defs/';

export const referenceTo = (name: string): string => `${PREFIX}${name}`;

/** Names of the definitions that a translated schema refers to, the outermost first. */
export function referencesOf(schema: JsonSchema): string[] {
  const found = new Set<string>();
  let level: unknown[] = [schema];
  while (level.length > 0) {
    const next: unknown[] = [];
    for (const node of level) {
      if (typeof node !== 'object' || node === null) continue;
      if ('$ref' in node && typeof node.$ref === 'string' && node.$ref.startsWith(PREFIX)) found.add(node.$ref.slice(PREFIX.length));
      for (const child of Object.values(node)) if (typeof child === 'object' && child !== null) next.push(child);
    }
    level = next;
  }
  return [...found];
}
