import { createHash, randomBytes, randomInt } from 'node:crypto';

/** 256 random bits; what is kept of it is its digest. */
export const newSecret = (prefix: string): string => `${prefix}_${randomBytes(32).toString('base64url')}`;
export const digestOfSecret = (secret: string): string => createHash('sha256').update(secret).digest('hex');
export const newRowId = (prefix: string): string => `${prefix}_${randomBytes(16).toString('hex')}`;

/** No vowels, so that no words come of it, and nothing that is read as something else. */
const USER_CODE_LETTERS = 'BCDFGHJKLMNPQRSTVWXZ';

/** `WDJB-MJHT`: 34 bits, for ten minutes. */
export function newUserCode(): string {
  const letters = Array.from({ length: 8 }, () => USER_CODE_LETTERS.charAt(randomInt(USER_CODE_LETTERS.length)));
  return `${letters.slice(0, 4).join('')}-${letters.slice(4).join('')}`;
}

/** As people type it. null: no user code. */
export function readUserCode(text: string): string | null {
  const letters = text.toUpperCase().replaceAll(/[^A-Z]/g, '');
  return letters.length === 8 && [...letters].every((letter) => USER_CODE_LETTERS.includes(letter))
    ? `${letters.slice(0, 4)}-${letters.slice(4)}`
    : null;
}

/** RFC 7636, S256: the only method there is. */
export const challengeOf = (verifier: string): string => createHash('sha256').update(verifier).digest('base64url');
