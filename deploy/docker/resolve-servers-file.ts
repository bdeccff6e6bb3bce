// resolve-servers-file.ts <FILE: the servers file with ${NAME}, ${env:NAME} and ${NAME:-default} in its values filled in from
// the environment. What is not set and has no default stays as it is, and mcp-proxy says so of that server alone. A file that is
// no JSON goes through as it is, for the same reason.
import { readFileSync } from 'node:fs';

const REFERENCE = /\$\{(?:env:)?([A-Za-z_][A-Za-z0-9_]*)(?::-([^}]*))?\}/g;
const text = readFileSync(0, 'utf8').replace(/^\uFEFF/, '');
process.stdout.write(resolved(text));

function resolved(json: string): string {
  try {
    return `${JSON.stringify(fill(JSON.parse(json)), null, 1)}\n`;
  } catch (error) {
    if (error instanceof SyntaxError) return json;
    throw error;
  }
}

function fill(value: unknown): unknown {
  if (typeof value === 'string')
    return value.replace(REFERENCE, (whole, name, otherwise) => process.env[name] || (otherwise ?? process.env[name] ?? whole));
  if (Array.isArray(value)) return value.map(fill);
  if (typeof value === 'object' && value !== null)
    return Object.fromEntries(Object.entries(value).map(([key, entry]) => [key, fill(entry)]));
  return value;
}
