import { ExecutorError } from '../errors.ts';

/** Longest part of a foreign answer that is shown. */
const EXCERPT_LENGTH = 200;

/** An answer that is none of ours (a proxy's page, say) gives `BAD_ANSWER` with its beginning. */
export async function errorOfAnswer(response: Response): Promise<ExecutorError> {
  const text = await response.text();
  const retryAfterMs = retryAfterOf(response.headers.get('retry-after'));
  const error = envelopeOf(text);
  if (error === null) {
    const excerpt = text.slice(0, EXCERPT_LENGTH).replaceAll(/\s+/g, ' ').trim();
    return new ExecutorError({
      code: 'BAD_ANSWER',
      message: `HTTP ${response.status} that is no answer of a code executor${excerpt === '' ? '' : `: ${excerpt}`}`,
      status: response.status,
      retryAfterMs,
    });
  }
  return new ExecutorError({ ...error, status: response.status, retryAfterMs });
}

function envelopeOf(text: string): { code: string; message: string; details?: unknown; requestId: string | null } | null {
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch {
    return null;
  }
  const error: unknown = (parsed as { error?: unknown } | null)?.error;
  if (typeof error !== 'object' || error === null) return null;
  const { code, message, details, requestId } = error as Record<string, unknown>;
  if (typeof code !== 'string' || typeof message !== 'string') return null;
  return { code, message, details, requestId: typeof requestId === 'string' ? requestId : null };
}

/** Seconds or a date. */
function retryAfterOf(header: string | null): number | null {
  if (header === null) return null;
  if (/^\d{1,9}$/.test(header)) return Number(header) * 1_000;
  const at = Date.parse(header);
  return Number.isNaN(at) ? null : Math.max(0, at - Date.now());
}
