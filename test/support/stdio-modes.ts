/** The ways in which echoing-server.ts gives its secret back; apart from it, because importing that one starts it. */
export const STDIO_MODES = [
  ...(['plain', 'encoded', 'blocks', 'lines', 'structured', 'error', 'error-blocks', 'thrown', 'meta', 'image'] as const),
  ...(['resource', 'stderr', 'log', 'rubbish', 'die'] as const),
] as const;
