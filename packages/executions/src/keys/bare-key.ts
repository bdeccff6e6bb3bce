import { createHash, randomBytes } from 'node:crypto';

/** `cex_` and 256 random bits in base64url. */
export const newBareKey = (): string => `cex_${randomBytes(32).toString('base64url')}`;

export const isBareKey = (text: string): boolean => /^cex_[\w-]{43}$/.test(text);

/**
 * A key of 256 random bits needs no slow hash. Comparing by look-up of the digest leaks nothing either: nobody can
 * choose a key by its digest.
 */
export const digestOf = (bareKey: string): string => createHash('sha256').update(bareKey).digest('hex');
