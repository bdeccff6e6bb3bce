import { ExecutorError } from '../errors.ts';
import type { Request, Send } from './send.ts';

/** Sends it and reads the answer's JSON; undefined where there is no body (204). The type is the service's promise, checked in the SDK's tests. */
export async function sendForJson<Answer>(send: Send, request: Request): Promise<Answer> {
  const response = await send(request);
  const text = await response.text();
  if (text === '') return undefined as Answer;
  try {
    return JSON.parse(text) as Answer;
  } catch (cause) {
    throw new ExecutorError({
      code: 'BAD_ANSWER',
      message: `${request.method} ${request.path} was answered with what is no JSON: is this the address of a code executor?`,
      status: response.status,
      cause,
    });
  }
}

/** A part of a path. */
export const segment = (text: string): string => encodeURIComponent(text);

/** A path below another: its slashes stay. */
export const segments = (path: string): string => path.split('/').map(encodeURIComponent).join('/');
