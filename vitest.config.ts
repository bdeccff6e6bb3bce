import { tmpdir } from 'node:os';
import { defineConfig } from 'vitest/config';

const FLEET = '**/*.fleet.test.ts';

export default defineConfig({
  // The checkout may belong to another user than the one the tests run as.
  cacheDir: `${tmpdir()}/code-executor-vitest-${process.getuid?.() ?? 0}`,
  test: {
    fsModuleCache: false,
    // Generous: a busy machine may be late. A test whose figure is the subject bounds it itself.
    testTimeout: 120_000,
    hookTimeout: 120_000,
    expect: { poll: { timeout: 10_000 } },
    // Suites that boot sandboxes share two cores; more workers than cores only make them wait for each other.
    maxWorkers: 2,
    projects: [
      {
        extends: true,
        test: {
          name: 'host',
          include: [
            'packages/**/*.test.ts',
            'services/**/*.test.ts',
            'sandbox-image/**/*.test.ts',
            'test/**/*.test.ts',
            'bench/**/*.test.ts',
          ],
          exclude: ['**/node_modules/**', FLEET],
        },
      },
      // Need a Docker engine; ./deploy.sh test runs them with its socket's group, which no other suite gets.
      { extends: true, test: { name: 'fleet', include: [FLEET], exclude: ['**/node_modules/**'] } },
    ],
  },
});
