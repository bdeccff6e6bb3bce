import { z } from 'zod';

/** The variable of whoever holds the tools: the embedded form and the fleet's MCP proxy. */
export const adminToolSettings = {
  /** `true`: agents may ask for integrations, connections and policies through the built-in server `executor`; people say yes. */
  EXECUTOR_ADMIN_TOOLS: z
    .enum(['true', 'false'])
    .default('false')
    .transform((text) => text === 'true'),
};
