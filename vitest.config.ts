import { tmpdir } from 'node:os';
import { defineConfig } from 'vitest/config';

export default defineConfig({
  // The checkout may belong to another user than the one the tests run as.
  cacheDir: `${tmpdir()}/code-executor-vitest-${process.getuid?.() ?? 0}`,
  test: {
    include: ['packages/**/*.test.ts', 'services/**/*.test.ts', 'sandbox-image/**/*.test.ts', 'test/**/*.test.ts', 'bench/**/*.test.ts'],
    fsModuleCache: false,
    // Generous: a busy machine may be late. A test whose figure is the subject bounds it itself.
    testTimeout: 60_000,
    hookTimeout: 120_000,
    expect: { poll: { timeout: 10_000 } },
    // Suites that boot sandboxes share two cores; more workers than cores only make them wait for each other.
    maxWorkers: 2,
  },
});
