import { AppError } from '../errors.ts';

const LEAST_CHARACTERS = 32;

/** A key of HS256 from its text. @throws AppError INVALID_REQUEST for one that could be guessed; `name` says which. */
export function tokenKey(name: string, text: string): Uint8Array {
  if (text.length < LEAST_CHARACTERS)
    throw new AppError('INVALID_REQUEST', `${name} has ${text.length} characters; it takes at least ${LEAST_CHARACTERS} random ones`);
  return new TextEncoder().encode(text);
}
