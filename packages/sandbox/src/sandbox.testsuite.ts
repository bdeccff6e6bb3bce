import { afterAll, beforeAll, describe } from 'vitest';
import { type Arena, openArena, type Surroundings } from './conformance/arena.ts';
import { channelCases } from './conformance/channel-cases.ts';
import { fileCases } from './conformance/file-cases.ts';
import { kernelCases } from './conformance/kernel-cases.ts';
import { memoryCases } from './conformance/memory-cases.ts';
import { networkCases } from './conformance/network-cases.ts';
import { otherProcessCases } from './conformance/other-process-cases.ts';
import { poisoningCases } from './conformance/poisoning-cases.ts';
import { processCases } from './conformance/process-cases.ts';
import type { SandboxAdapter } from './port.ts';

/**
 * The hostile programs that every adapter has to withstand, each with the one outcome that is the truth. They run through what the
 * service runs them through: `openSandboxAdapter`, the real runners, `runProgram` and the memory watch.
 */
export function describeConformance(name: SandboxAdapter['name'], surround?: () => Promise<Surroundings>): void {
  describe.skipIf(process.getuid?.() === 0)(
    `hostile programs in sandboxes of the ${name} adapter (not as root)`,
    { timeout: 120_000 },
    () => {
      let open: Arena;
      beforeAll(async () => {
        open = await openArena(name, (await surround?.()) ?? null);
      }, 900_000);
      afterAll(() => open?.close());
      const arena = (): Arena => open;

      describe('memory', () => memoryCases(arena));
      describe('processes, time and output', () => processCases(arena));
      describe('the kernel', () => kernelCases(arena));
      describe('other processes', () => otherProcessCases(arena));
      describe('the network', () => networkCases(arena));
      describe('the channel', () => channelCases(arena));
      describe('poisoning', () => poisoningCases(arena));
      describe('files', () => fileCases(arena));
    },
  );
}
