/** Slug of the built-in server with the tools of administration. */
export const EXECUTOR_SERVER = 'executor';
