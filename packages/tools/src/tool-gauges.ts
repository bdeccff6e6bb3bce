import { Gauge, type Registry } from 'prom-client';
import type { IntegrationState } from './port.ts';

const INTEGRATION_STATES = ['starting', 'ready', 'idle', 'broken', 'stopped'] as const satisfies readonly IntegrationState[];

interface CountedTools {
  readonly servers: Readonly<Record<string, { readonly state: IntegrationState }>>;
  readonly totalTools: number;
}

/** `summary` is asked with every scrape; null: nobody who knows answers. */
export function registerToolGauges(registers: Registry[], summary: () => CountedTools | null | Promise<CountedTools | null>): void {
  new Gauge({
    name: 'code_executor_tool_servers',
    help: 'Integrations by state, as the MCP proxy that was asked has them; absent while none answers',
    labelNames: ['state'] as const,
    registers,
    async collect() {
      this.reset();
      const counted = await summary();
      if (counted === null) return;
      const states = Object.values(counted.servers).map(({ state }) => state);
      for (const state of INTEGRATION_STATES) this.set({ state }, states.filter((one) => one === state).length);
    },
  });
  new Gauge({
    name: 'code_executor_tools',
    help: 'Tools of all integrations; NaN while no MCP proxy answers',
    registers,
    async collect() {
      this.set((await summary())?.totalTools ?? Number.NaN);
    },
  });
}
