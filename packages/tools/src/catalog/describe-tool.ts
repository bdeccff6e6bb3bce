import { AppError } from '@code-executor/platform';
import { type CodeName, exampleCall, toolSignature, wrapperSource } from '@code-executor/wrappers';
import type { ToolInfo } from '../port.ts';
import type { VisibleTool } from './visible-tools.ts';

/** Where programs import them from; a path that is answered can be pasted into an import. */
const WRAPPERS_IN_SANDBOX = '/workspace/servers';

/** Everything there is to know of one tool. `names` is that of the whole catalog: a tool's name in code depends on its neighbours. */
export function describeTool({ entry: { tool }, decision }: VisibleTool, names: ReadonlyMap<string, CodeName>): ToolInfo {
  const name = names.get(`${tool.server}.${tool.name}`);
  if (name === undefined) throw new AppError('INTERNAL', `${tool.server}.${tool.name} has no name in code`);
  const typescript = wrapperSource(tool, 'typescript', name);
  const python = wrapperSource(tool, 'python', name);
  return {
    server: tool.server,
    name: tool.name,
    title: tool.title ?? null,
    description: tool.description,
    inputSchema: tool.inputSchema,
    outputSchema: tool.outputSchema ?? null,
    annotations: tool.annotations ?? {},
    signature: toolSignature(tool, name),
    wrapper: {
      path: `${WRAPPERS_IN_SANDBOX}/${typescript.path}`,
      source: typescript.source,
      pythonPath: `${WRAPPERS_IN_SANDBOX}/${python.path}`,
      pythonSource: python.source,
    },
    policy: decision,
    example: { typescript: exampleCall(tool, 'typescript', name), python: exampleCall(tool, 'python', name) },
  };
}
