import { availableParallelism } from 'node:os';
import { wholeNumber } from '@code-executor/platform';
import { sandboxLimitSettings } from '@code-executor/sandbox';
import { z } from 'zod';

const cores = availableParallelism();
const count = (min: number, max: number, unit: string) => wholeNumber({ min, max, unit });

/** The variables of whoever runs programs: the embedded form and the fleet's worker. */
export const executorSettings = {
  /** Warm sandboxes. A burst of as many simple programs is answered warm; each idle one costs some 5 MB. */
  EXECUTOR_POOL_TYPESCRIPT: count(0, 256, 'sandboxes').default(Math.max(4, cores * 4)),
  EXECUTOR_POOL_PYTHON: count(0, 256, 'sandboxes').default(Math.max(3, cores * 3)),
  /** Executions that run at once; each may use up to the memory limit. */
  EXECUTOR_CONCURRENCY: count(1, 1_024, 'executions').default(Math.max(16, cores * 8)),
  /** Sandboxes that are kept frozen while people decide on a call, beside those that run; each may hold up to the memory limit. */
  EXECUTOR_PAUSED_SANDBOXES: count(0, 1_024, 'sandboxes').default(16),
  /** A paused execution that can be replayed keeps its sandbox so long. */
  EXECUTOR_PAUSE_KEEP_SECONDS: count(0, 2_000_000, 'seconds').default(900),
  ...sandboxLimitSettings,
  /** Directory of Python packages that programs may import. */
  EXECUTOR_PYTHON_PACKAGES_DIR: z.string().optional(),
  /** `launcher` needs a C compiler at the first start, `bubblewrap` needs bwrap, `container` its service; `auto` takes the first that works. */
  EXECUTOR_SANDBOX: z.enum(['auto', 'launcher', 'bubblewrap', 'container']).default('auto'),
  /** Of the service that makes single-use containers; its directories lie beside it. */
  EXECUTOR_CONTAINER_SOCKET: z.string().optional(),
  /** What that service knows its callers by. */
  EXECUTOR_CONTAINER_KEY: z.string().min(32).optional(),
};

const settings = z.object(executorSettings);

/** The service that makes containers; undefined where there is none. */
export const containersOf = (config: z.infer<typeof settings>): { readonly socketPath: string; readonly key: string } | undefined => {
  const { EXECUTOR_CONTAINER_SOCKET: socketPath, EXECUTOR_CONTAINER_KEY: key } = config;
  return socketPath === undefined || key === undefined ? undefined : { socketPath, key };
};
