/**
 * Sets, or with null takes out, the table at `path` in the text of a TOML document: its own lines are replaced, a new table goes to
 * the end, everything else stays as it is. (No TOML writer keeps comments; a table that stands by itself needs none.)
 */
export function editToml(text: string, path: readonly string[], value: Record<string, unknown> | null): string {
  const lines = text.split('\n');
  const header = path.map(keyOf).join('.');
  const names = path.join('\u0000');
  const start = lines.findIndex((line) => namesOf(line)?.join('\u0000') === names);
  const table =
    value === null ? [] : [`[${header}]`, ...Object.entries(value).map(([name, item]) => `${keyOf(name)} = ${tomlValue(item)}`)];
  if (start === -1) {
    if (value === null) return text;
    const before = text.trimEnd();
    return `${before === '' ? '' : `${before}\n\n`}${table.join('\n')}\n`;
  }
  // To the next table that is none of its own, less the comments and blanks that belong to that one.
  let end = start + 1;
  while (end < lines.length && !isForeign(lines[end], path)) end += 1;
  while (end > start + 1 && /^\s*(#.*)?$/.test(lines[end - 1] ?? '')) end -= 1;
  if (value === null) while (end < lines.length && lines[end]?.trim() === '' && (start === 0 || lines[start - 1]?.trim() === '')) end += 1;
  return [...lines.slice(0, start), ...table, ...lines.slice(end)].join('\n');
}

function isForeign(line: string | undefined, path: readonly string[]): boolean {
  const names = line === undefined ? null : namesOf(line);
  return names !== null && !path.every((name, at) => names[at] === name);
}

/** The names of a table's header; null: the line is none. */
function namesOf(line: string): string[] | null {
  const [, inside] = /^\s*\[\[?([^\]]+)\]\]?\s*(?:#.*)?$/.exec(line) ?? [];
  if (inside === undefined) return null;
  return [...inside.matchAll(/"((?:[^"\\]|\\.)*)"|'([^']*)'|([\w-]+)/g)].map(
    ([, basic, literal, bare]) => bare ?? literal ?? (JSON.parse(`"${basic}"`) as string),
  );
}

const keyOf = (name: string): string => (/^[\w-]+$/.test(name) ? name : JSON.stringify(name));

/** JSON's texts, numbers, truth values and lists are TOML's too. */
const tomlValue = (value: unknown): string => (Array.isArray(value) ? `[${value.map(tomlValue).join(', ')}]` : JSON.stringify(value));
