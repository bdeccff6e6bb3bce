/** Of what one source may list, whatever its kind. */
export const TOOL_LIST_LIMITS = {
  tools: 10_000,
  bytes: 64 * 1024 * 1024,
  pages: 2_000,
  nameCharacters: 256,
  descriptionCharacters: 32_768,
  schemaBytes: 512 * 1024,
};
export type ToolListLimits = typeof TOOL_LIST_LIMITS;

/** Whether arrays and objects nest at most `levels` deep. */
export function nestsWithin(value: unknown, levels: number): boolean {
  if (typeof value !== 'object' || value === null) return true;
  if (levels === 0) return false;
  for (const child of Array.isArray(value) ? value : Object.values(value)) if (!nestsWithin(child, levels - 1)) return false;
  return true;
}
