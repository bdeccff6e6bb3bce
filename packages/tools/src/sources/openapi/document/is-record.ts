/** An object of a parsed document; its keys are foreign, so ask `Object.hasOwn` or read keywords only. */
export const isRecord = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** The text under a key, or undefined. */
export const textOf = (value: unknown, key: string): string | undefined => {
  const text = isRecord(value) && Object.hasOwn(value, key) ? value[key] : undefined;
  return typeof text === 'string' ? text : undefined;
};

/** The object under a key, or an empty one. */
export const recordOf = (value: unknown, key: string): Readonly<Record<string, unknown>> => {
  const record = isRecord(value) && Object.hasOwn(value, key) ? value[key] : undefined;
  return isRecord(record) ? record : {};
};

/** The list under a key, or an empty one. */
export const listOf = (value: unknown, key: string): readonly unknown[] => {
  const list = isRecord(value) && Object.hasOwn(value, key) ? value[key] : undefined;
  return Array.isArray(list) ? list : [];
};
