import { z } from 'zod';

/** Of skills, for the services that hold the tools. */
export const skillSettings = {
  /** Whether the skills that come with the product are installed. Those that are there stay. */
  EXECUTOR_SHIPPED_SKILLS: z
    .enum(['true', 'false'])
    .default('true')
    .transform((text) => text === 'true'),
};
