/** Characters a reader cannot see or that reorder what is read: controls, zero-width and bidi marks, separators, lone surrogates. */
const UNSEEN =
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what this looks for
  /[\u0000-\u001f\u007f-\u009f\u00ad\u061c\u180e\u200b-\u200f\u2028-\u202f\u2060-\u206f\ufeff\ufff9-\ufffb]|[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/g;

/** A string literal in double quotes that means `text` in TypeScript, and shows every character it holds. */
export function quoteTypeScript(text: string): string {
  return JSON.stringify(text).replace(UNSEEN, escapeUnit);
}

/** The same for Python, whose escapes of this kind are those of JSON. */
export function quotePython(text: string): string {
  return quoteTypeScript(text);
}

/**
 * Foreign prose, fit for a comment: at most `longest` characters, what cannot be seen spelled out, no word that a tool would obey.
 * Newlines stay; `*` `/` and quotes are the caller's concern.
 */
export function plainProse(text: string, longest: number): string {
  const kept = text.length > longest ? text.slice(0, longest) : text;
  const rest = text.length - kept.length;
  const prose = kept
    .replace(/\r\n?/g, '\n')
    .replace(/\t/g, '  ')
    .split('\n')
    .map((line) => line.replace(UNSEEN, escapeUnit).replace(PRAGMA, '$1 ').trimEnd())
    .join('\n')
    .replace(/\n{3,}/g, '\n\n')
    .trim();
  return rest > 0 ? `${prose} … (${rest} more characters)` : prose;
}

/** Lines of a JSDoc block at this indent, or nothing where there is no prose. */
export function jsDoc(prose: string, indent: string): string {
  if (prose === '') return '';
  const safe = prose.replace(/\*\//g, '*\\/').replace(/\/\*/g, '/\\*');
  const lines = safe.split('\n');
  if (lines.length === 1) return `${indent}/** ${safe} */\n`;
  return `${indent}/**\n${lines.map((line) => `${indent} *${line === '' ? '' : ` ${line}`}\n`).join('')}${indent} */\n`;
}

/** A docstring that stands at this indent; its first line comes without it. */
export function docstring(prose: string, indent: string): string {
  const safe = prose.replace(/\\/g, '\\\\').replace(/"""/g, '\\"\\"\\"');
  const lines = safe.split('\n').map((line, index) => (line === '' || index === 0 ? line : `${indent}${line}`));
  const closing = lines.length > 1 || /"$/.test(safe) ? `\n${indent}` : '';
  return `"""${/^"/.test(safe) ? ' ' : ''}${lines.join('\n')}${closing}"""\n`;
}

/** Words in a comment that the type checker or a runtime obeys, or that name another file as this one's source. */
const PRAGMA = /([@#])(?=\s*(?:ts-|jsx|bun\b|license|preserve|source(?:Mapping)?URL|__(?:PURE|NO_SIDE)|type:))/gi;

function escapeUnit(unit: string): string {
  return `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`;
}
