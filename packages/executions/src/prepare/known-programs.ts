import type { PreparedProgram } from './prepare-program.ts';
import type { PrepareRequest } from './prepare-thread.ts';

/**
 * What programs came to that were prepared lately: agents send the same few again and again, and every call without code is the same
 * line. Preparing asks for nothing but what is compared here.
 */
export interface KnownPrograms {
  find(request: PrepareRequest): PreparedProgram | undefined;
  keep(request: PrepareRequest, prepared: PreparedProgram): void;
}

/** Some megabytes at most. */
const MOST_KEPT = 128;
const LONGEST_KEPT = 8 * 1024;

export function createKnownPrograms(): KnownPrograms {
  const known = new Map<string, PreparedProgram>();
  return {
    find(request) {
      if (request.code.length > LONGEST_KEPT) return undefined;
      const key = keyOf(request);
      const prepared = known.get(key);
      if (prepared === undefined) return undefined;
      // The one that was asked for longest ago is the first to go.
      known.delete(key);
      known.set(key, prepared);
      return prepared;
    },
    keep(request, prepared) {
      // Of what failed, some failed for want of time.
      if (!prepared.ok || request.code.length > LONGEST_KEPT) return;
      known.set(keyOf(request), prepared);
      if (known.size <= MOST_KEPT) return;
      const [oldest = ''] = known.keys();
      known.delete(oldest);
    },
  };
}

const keyOf = ({ language, code, sessionId, isSkill }: PrepareRequest): string =>
  `${language} ${sessionId !== undefined} ${isSkill === true} ${code}`;
