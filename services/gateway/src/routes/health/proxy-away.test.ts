import { AppError } from '@code-executor/platform';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { KEYS, type OpenGateway, openGateway } from '../../testing/open-gateway.ts';

describe('while the MCP proxy does not answer', () => {
  let gateway: OpenGateway;
  beforeEach(async () => {
    gateway = await openGateway();
    const away = (): never => {
      throw new AppError('TOOLS_UNAVAILABLE', 'The MCP proxy does not answer; ask again in a few seconds');
    };
    Object.assign(gateway.tools, { summary: away, listTools: async () => away(), listIntegrations: away });
  });
  afterEach(() => gateway.app.close());

  test('/health answers that it is degraded, and not ready is said with the reason', async () => {
    expect((await gateway.ask('GET', '/health', { key: null })).json()).toMatchObject({ status: 'degraded', servers: {}, totalTools: 0 });
    const ready = await gateway.ask('GET', '/health/ready', { key: null });
    expect(ready).toMatchObject({ status: 503 });
    expect(ready.json()).toEqual({ ready: false, waitingFor: ['mcp-proxy'] });
  });

  test('/metrics has everything but the integrations', async () => {
    const { status, text } = await gateway.ask('GET', '/metrics', { key: KEYS.operator });
    expect(status).toBe(200);
    expect(text).toContain('code_executor_pool_claims_total{outcome="hit"} 3');
    expect(text).toContain('code_executor_tools NaN');
    expect(text).not.toContain('code_executor_tool_servers{');
  });

  test('routes that need it answer 503 TOOLS_UNAVAILABLE', async () => {
    for (const [url, key] of [
      ['/tools', KEYS.agent],
      ['/integrations', KEYS.operator],
    ] as const) {
      const answer = await gateway.ask('GET', url, { key });
      expect(answer).toMatchObject({ status: 503 });
      expect(answer.json()).toMatchObject({ error: { code: 'TOOLS_UNAVAILABLE' } });
    }
  });
});
