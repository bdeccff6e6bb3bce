import type { Catalog } from '../catalog/catalog.ts';
import type { ServerLog } from '../sources/mcp/mcp-server.ts';
import type { Servers } from '../sources/servers.ts';
import { EXECUTOR_SERVER } from './executor-server.ts';
import { type Administrators, executorTools } from './executor-tools.ts';
import { type ExecutorDependencies, manageExecutor } from './manage-executor.ts';

/** Puts the tools of administration among the others. Where they are switched off, nothing of them is left. */
export async function openExecutor(
  isOn: boolean,
  deps: Administrators &
    Omit<ExecutorDependencies, 'tools'> & { readonly servers: Servers; readonly catalog: Catalog; readonly log: ServerLog },
): Promise<void> {
  const taken = deps.servers.all().has(EXECUTOR_SERVER);
  if (!isOn || taken) {
    if (isOn)
      deps.log.warn(
        { server: EXECUTOR_SERVER },
        'A server is called "executor", so that there are no tools of administration: give it another name',
      );
    else if (!taken && deps.catalog.tools(EXECUTOR_SERVER).size > 0) await deps.catalog.remove(EXECUTOR_SERVER, { forget: true });
    return;
  }
  const tools = executorTools(deps);
  const listed = tools.map(({ name, description, inputSchema, isReadOnly }) => ({
    tool: { server: EXECUTOR_SERVER, name, description, inputSchema, annotations: { readOnlyHint: isReadOnly } },
  }));
  await deps.catalog.replace(EXECUTOR_SERVER, listed, true);
  deps.servers.add(manageExecutor({ ...deps, tools }));
}
