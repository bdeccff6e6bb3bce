/** Builds the CLI into dist/: plain JavaScript for Node 20 and newer, with all that it needs in it. */
import { readFileSync, rmSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { rolldown } from 'rolldown';

const root = fileURLToPath(new URL('.', import.meta.url));
const { version } = JSON.parse(readFileSync(`${root}/package.json`, 'utf8')) as { version: string };

/** Elsewhere where it is said. */
const target = process.argv[2] ?? `${root}/dist`;
rmSync(target, { recursive: true, force: true });
const bundle = await rolldown({
  input: { executor: `${root}/src/main.ts` },
  platform: 'node',
  transform: { define: { CLI_VERSION: JSON.stringify(version) } },
});
try {
  // Pieces of their own for what commands load when they are called: the start stays quick.
  await bundle.write({ dir: target, format: 'esm', chunkFileNames: '[name]-[hash].js' });
} finally {
  await bundle.close();
}
