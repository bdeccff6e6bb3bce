/** Of a text this much is looked at; what an API description is stands near its beginning or, in sorted JSON, near its end. */
const LONGEST_SCAN = 64 * 1024 * 1024;

/**
 * The text under a key at the top of a JSON or YAML document, without parsing the document: kinds are told apart by one, and a
 * document may have 16 MB. Null: there is none. Never throws.
 */
export function topLevelText(text: string, keys: readonly string[]): { readonly key: string; readonly value: string } | null {
  const start = text.search(/\S/);
  if (start < 0 || text.length > LONGEST_SCAN) return null;
  const first = text.charCodeAt(start) === 0xfeff ? start + 1 + Math.max(0, text.slice(start + 1).search(/\S/)) : start;
  return text[first] === '{' ? inJson(text, first, keys) : inYaml(text, keys);
}

function inYaml(text: string, keys: readonly string[]): { key: string; value: string } | null {
  const pattern = new RegExp(`^(["']?)(${keys.join('|')})\\1[ \\t]*:[ \\t]+(["']?)([^"'\\s#]{1,80})\\3[ \\t]*(?:#.*)?\\r?$`, 'm');
  const found = pattern.exec(text);
  return found === null ? null : { key: found[2] ?? '', value: found[4] ?? '' };
}

/** Steps over strings and counts brackets; nothing is built. */
function inJson(text: string, start: number, keys: readonly string[]): { key: string; value: string } | null {
  let depth = 0;
  let at = start;
  while (at < text.length) {
    const unit = text[at];
    if (unit === '{' || unit === '[') depth += 1;
    else if (unit === '}' || unit === ']') {
      depth -= 1;
      if (depth === 0) return null;
    } else if (unit === '"') {
      const end = endOfString(text, at);
      if (depth === 1 && keys.includes(text.slice(at + 1, end))) {
        const value = /^\s*:\s*"([^"\\]{1,80})"/.exec(text.slice(end + 1, end + 200));
        if (value !== null) return { key: text.slice(at + 1, end), value: value[1] ?? '' };
      }
      at = end;
    }
    at += 1;
  }
  return null;
}

/** The index of the closing quote. */
function endOfString(text: string, start: number): number {
  let at = text.indexOf('"', start + 1);
  while (at > 0) {
    let slashes = 0;
    while (text[at - 1 - slashes] === '\\') slashes += 1;
    if (slashes % 2 === 0) return at;
    at = text.indexOf('"', at + 1);
  }
  return text.length;
}
