/** What one question to the service came to; null: nothing answered. */
export interface ServiceAnswer {
  readonly status: number;
  readonly body: Record<string, unknown>;
}

/** Asks the service for one path. Never rejects; waits at most `timeoutMs`. */
export async function askService(url: string, timeoutMs: number, request: RequestInit = {}): Promise<ServiceAnswer | null> {
  try {
    const answer = await fetch(url, { ...request, signal: AbortSignal.timeout(timeoutMs) });
    const body: unknown = await answer.json();
    return { status: answer.status, body: isRecord(body) ? body : {} };
  } catch {
    // Refused, hung up, too slow or no JSON: for whoever asks, all of it means "not there".
    return null;
  }
}

/** Why it is not ready: what an answer of /health/ready waits for, or the sentence of an error answer. */
export function reasonOf(answer: ServiceAnswer | null): string {
  if (answer === null) return 'it does not answer';
  const { waitingFor } = answer.body;
  if (Array.isArray(waitingFor) && waitingFor.length > 0) return `waiting for ${waitingFor.map(String).join(', ')}`;
  const error = answer.body.error;
  return isRecord(error) && typeof error.message === 'string' ? error.message : `it answers ${answer.status}`;
}

export const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
