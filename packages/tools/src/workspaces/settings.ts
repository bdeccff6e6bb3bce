import { z } from 'zod';

/** What the tool side reads about workspaces beside the home one. */
export const workspaceSettings = {
  /** Admins of other workspaces may add commands that run on this machine and spell out addresses of its network, as the operator's may. */
  EXECUTOR_WORKSPACES_TRUSTED: z
    .enum(['true', 'false'])
    .default('false')
    .transform((text) => text === 'true'),
};
