import { expect } from 'vitest';
import { type AskOptions, ask, type Reply } from './ask.ts';
import type { Service } from './start-service.ts';

export type Refused = (
  request: readonly [method: string, path: string, options: AskOptions],
  status: number,
  errorCode: string,
  says: RegExp,
) => Promise<Reply>;

/** Asks `service`, and expects to be refused in the one form, with nothing written and nothing queued. */
export function refusalsOf(service: () => Service): Refused {
  const total = async (): Promise<number> => ((await service().get('/executions?limit=1')).body as { total: number }).total;
  return async ([method, path, options], status, errorCode, says) => {
    const before = await total();
    const reply = await ask(service(), method, path, options);
    expect(reply.status, reply.text).toBe(status);
    const body = reply.json() as { error: { code: string; message: string; requestId: string } };
    expect(Object.keys(body)).toEqual(['error']);
    expect(body.error.code).toBe(errorCode);
    expect(body.error.message).toMatch(says);
    expect(reply.headers['x-request-id']).toBe(body.error.requestId);
    expect(await total()).toBe(before);
    expect((await service().get('/health')).body).toMatchObject({ queue: { queued: 0, running: 0 } });
    return reply;
  };
}
