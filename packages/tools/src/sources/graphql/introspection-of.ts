import type { IntrospectionSchema } from 'graphql';

/** What an introspection result holds, in any of the forms in which tools write it down; null: it is none. */
export function introspectionOf(value: unknown): IntrospectionSchema | null {
  if (typeof value !== 'object' || value === null) return null;
  const inner = 'data' in value && typeof value.data === 'object' && value.data !== null ? value.data : value;
  const found = '__schema' in inner ? inner.__schema : null;
  return typeof found === 'object' && found !== null && 'types' in found && Array.isArray(found.types)
    ? (found as unknown as IntrospectionSchema)
    : null;
}
