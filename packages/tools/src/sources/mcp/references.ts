/** `${NAME}`, `${env:NAME}`, each with an optional `:-default`. */
const REFERENCE = /\$\{(?:env:)?([A-Za-z_][A-Za-z0-9_]*)(?::-([^}]*))?\}/g;

export interface ResolvedReferences {
  readonly text: string;
  /** What the references stood for, by the variable's name. */
  readonly values: readonly { readonly name: string; readonly value: string }[];
  /** Names that are unset and have no default. */
  readonly missing: readonly string[];
}

/** Replaces references to the environment. As in a shell, `:-` also stands in for an empty variable. What was put in is not expanded again. */
export function resolveReferences(text: string, environment: Readonly<Record<string, string | undefined>>): ResolvedReferences {
  const values: { name: string; value: string }[] = [];
  const missing: string[] = [];
  const resolved = text.replace(REFERENCE, (whole, name: string, fallback: string | undefined) => {
    const value = Object.hasOwn(environment, name) ? environment[name] : undefined;
    if (value !== undefined && (value !== '' || fallback === undefined)) {
      values.push({ name, value });
      return value;
    }
    if (fallback !== undefined) return fallback;
    missing.push(name);
    return whole;
  });
  return { text: resolved, values, missing };
}
