import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type OpenGateway, openGateway } from './testing/open-gateway.ts';

let gateway: OpenGateway;
beforeEach(async () => {
  gateway = await openGateway();
});
afterEach(async () => {
  await gateway.app.close();
});

describe('POST /execute', () => {
  it('answers how the execution ended, with its request id', async () => {
    const answer = await gateway.ask('POST', '/execute', { body: { code: '40 + 2', language: 'typescript' } });
    expect(answer.status).toBe(200);
    expect(answer.headers['x-request-id']).toMatch(/^req_/);
    expect(answer.json()).toMatchObject({ executionId: gateway.executions.ids()[0], status: 'succeeded', result: 42, error: null });
  });
});
