import { AppError } from '@code-executor/platform';
import { ACCEPTED_ENCODINGS } from './decompress.ts';

/** These are the connection's affair: a caller that could set them could speak to another host, or smuggle a second request. */
const OWN_HEADERS = /^(?:host|connection|keep-alive|content-length|transfer-encoding|te|trailer|upgrade|expect|http2-settings|proxy-.*)$/;
const USER_AGENT = 'code-executor/0.1';

/** The headers of a request as they are sent, by lower-case name. @throws AppError INVALID_ARGUMENTS naming a header that cannot be sent; never its value. */
export function requestHeaders(given: Iterable<readonly [string, string]>): Record<string, string> {
  const headers: Record<string, string> = { 'user-agent': USER_AGENT, accept: '*/*', 'accept-encoding': ACCEPTED_ENCODINGS };
  for (const [name, value] of given) {
    const shown = JSON.stringify(name.slice(0, 80));
    if (!/^[\w!#$%&'*+.^`|~-]+$/.test(name)) throw new AppError('INVALID_ARGUMENTS', `${shown} cannot be the name of a header`);
    if (/[^\t\x20-\x7e\x80-\xff]/.test(value)) {
      throw new AppError('INVALID_ARGUMENTS', `The value of the header ${shown} has characters that a header cannot carry`);
    }
    const lower = name.toLowerCase();
    if (!OWN_HEADERS.test(lower)) headers[lower] = value;
  }
  return headers;
}
