/** Derived spellings that are shorter occur by chance. */
const SHORTEST_DERIVED = 8;

/**
 * How a secret may come back without being the same text: escaped for JSON (once, twice, or in ASCII alone), HTML and URLs, in
 * hexadecimal, and in base64, alone or in the middle of something longer. Some twenty texts, whatever the secret.
 */
export function spellingsOf(secret: string): Set<string> {
  const json = JSON.stringify(secret).slice(1, -1);
  const escaped = [json, JSON.stringify(json).slice(1, -1), json.replaceAll('/', '\\/'), asciiOf(json), htmlOf(secret)];
  const bytes = Buffer.from(secret, 'utf8');
  const hex = bytes.toString('hex');
  const percent = hex.replace(/../g, '%$&');
  const derived = [hex, hex.toUpperCase(), percent, percent.toUpperCase(), ...urlSpellings(secret), ...base64Spellings(bytes)];
  return new Set([secret, ...escaped, ...derived.filter((text) => text.length >= SHORTEST_DERIVED || text === secret)]);
}

const asciiOf = (text: string): string =>
  text.replace(/[^\x20-\x7e]/g, (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`);

const HTML: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;' };
const htmlOf = (text: string): string => text.replace(/[&<>"']/g, (character) => HTML[character] ?? character);

function urlSpellings(secret: string): string[] {
  if (!secret.isWellFormed()) return [];
  const component = encodeURIComponent(secret);
  // What encodeURIComponent leaves, stricter encoders do not.
  const strict = component.replace(/[!'()*]/g, (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`);
  const form = new URLSearchParams([['', secret]]).toString().slice(1);
  const all = [component, strict, encodeURI(secret), strict.replaceAll('%20', '+'), form, form.replaceAll('+', '%20')];
  return [...all, ...all.map((text) => text.replace(/%[0-9A-F]{2}/g, (code) => code.toLowerCase()))];
}

/**
 * Alone, with and without padding, and without the characters at either end that depend on what stands before and behind, for each
 * of the three ways that it can lie in groups of three bytes.
 */
function base64Spellings(bytes: Buffer): string[] {
  const alone = [bytes.toString('base64'), bytes.toString('base64').replace(/=+$/, ''), bytes.toString('base64url')];
  const within = [0, 1, 2].flatMap((before) => {
    const text = Buffer.concat([Buffer.alloc(before), bytes])
      .toString('base64')
      .replace(/=+$/, '');
    const head = before === 0 ? 0 : before + 1;
    const tail = (before + bytes.length) % 3 === 0 ? 0 : 1;
    const middle = text.slice(head, text.length - tail);
    return [middle, middle.replaceAll('+', '-').replaceAll('/', '_')];
  });
  return [...alone, ...within];
}
