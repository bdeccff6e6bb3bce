const SECRET_NAME =
  /key|token|secret|passw|passphrase|\bpwd\b|auth|credential|bearer|cookie|private|signature|dsn|database_url|connection/i;
const PLACEHOLDER = '[secret]';
/** Shorter values ("1", "true") occur everywhere by chance: hiding them would hide nothing and garble every message. */
const SHORTEST_NAMED_SECRET = 4;
const SHORTEST_OTHER_VALUE = 8;

/**
 * Values of one server's definition that people must not see. `secrets` are hidden from everything that leaves, the
 * server's own replies included; `privates` (any other value of its environment) from logs, errors and API answers only,
 * since a path or a level in a reply is data.
 */
export interface SecretValues {
  readonly secrets: ReadonlySet<string>;
  readonly privates: ReadonlySet<string>;
}

export interface SecretCollector extends SecretValues {
  /** `always`: the place itself makes it a secret (a header, the userinfo of a URL), whatever its name. */
  add(name: string, value: string, always?: 'always'): void;
}

export function collectSecrets(): SecretCollector {
  const secrets = new Set<string>();
  const privates = new Set<string>();
  return {
    secrets,
    privates,
    add(name, value, always) {
      if (always === 'always' || SECRET_NAME.test(name)) {
        // "Bearer abc" is echoed as "abc" as often as whole.
        for (const part of [value, ...value.split(/\s+/)])
          if (part.length >= SHORTEST_NAMED_SECRET && part !== 'Bearer' && part !== 'Basic') secrets.add(part);
      } else if (value.length >= SHORTEST_OTHER_VALUE) privates.add(value);
    },
  };
}

export type Scrub = (text: string) => string;

/** Replaces each value, also where it is escaped for JSON or a URL, by `[secret]`. Longest first: one may contain another. */
export function createScrub(values: Iterable<string>): Scrub {
  const spellings = new Set<string>();
  for (const value of values) {
    spellings.add(value);
    spellings.add(JSON.stringify(value).slice(1, -1));
    if (value.isWellFormed()) spellings.add(encodeURIComponent(value));
  }
  if (spellings.size === 0) return (text) => text;
  const longestFirst = [...spellings].sort((a, b) => b.length - a.length);
  const pattern = new RegExp(longestFirst.map((spelling) => spelling.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')).join('|'), 'g');
  return (text) => text.replace(pattern, PLACEHOLDER);
}
