import { afterAll, beforeAll, describe } from 'vitest';
import { type Arena, openArena } from './conformance/arena.ts';
import { memoryCases } from './conformance/memory-cases.ts';
import type { SandboxAdapter } from './port.ts';

/**
 * The hostile programs that every adapter has to withstand, each with the one outcome that is the truth. They run through what the
 * service runs them through: `openSandboxAdapter`, the real runners, `runProgram` and the memory watch.
 */
export function describeConformance(name: SandboxAdapter['name']): void {
  describe.skipIf(process.getuid?.() === 0)(
    `hostile programs in sandboxes of the ${name} adapter (not as root)`,
    { timeout: 60_000 },
    () => {
      let open: Arena;
      beforeAll(async () => {
        open = await openArena(name);
      }, 60_000);
      afterAll(() => open?.close());
      const arena = (): Arena => open;

      describe('memory', () => memoryCases(arena));
    },
  );
}
