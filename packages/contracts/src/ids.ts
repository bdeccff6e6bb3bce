/** Crockford's base 32: no I, L, O, U. */
const ALPHABET = '0123456789abcdefghjkmnpqrstvwxyz';

export type IdPrefix = 'exe' | 'apr' | 'key' | 'wsp' | 'int' | 'con' | 'pol' | 'tcl' | 'aud' | 'req' | 'hnd';

/** A prefixed id that sorts by time of creation: 10 characters of milliseconds, 16 of randomness (80 bits). */
export function newId(prefix: IdPrefix, now: number = Date.now()): string {
  let time = '';
  for (let rest = now, index = 0; index < 10; index += 1) {
    time = ALPHABET.charAt(rest % 32) + time;
    rest = Math.floor(rest / 32);
  }
  let tail = '';
  for (const byte of takeRandom(16)) tail += ALPHABET.charAt(byte & 31);
  return `${prefix}_${time}${tail}`;
}

export const idPattern = (prefix: IdPrefix): RegExp => new RegExp(`^${prefix}_[0-9a-hjkmnp-tv-z]{26}$`);

/** Randomness is fetched for many ids at once, since a fetch costs more than an id. Each byte is given out once. */
const pool = new Uint8Array(4096);
let used = pool.length;

function takeRandom(count: number): Uint8Array {
  if (used + count > pool.length) {
    crypto.getRandomValues(pool);
    used = 0;
  }
  used += count;
  return pool.subarray(used - count, used);
}
