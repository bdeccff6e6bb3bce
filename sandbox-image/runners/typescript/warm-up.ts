/** Imported by the runner while it boots, and by nothing else; what matters is that it is TypeScript in a file of its own. */
export const warm: number = 1;
