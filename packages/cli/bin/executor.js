#!/usr/bin/env node
// Finds out how the CLI can run here: as built, from its TypeScript sources (Node 22.18 and newer), or by the Node 24 of the checkout.
import { existsSync } from 'node:fs';
import module from 'node:module';
import { fileURLToPath } from 'node:url';

const built = new URL('../dist/executor.js', import.meta.url);
const source = new URL('../src/main.ts', import.meta.url);

if (existsSync(source) && process.features.typescript) {
  module.enableCompileCache?.();
  await import(source.href);
} else if (existsSync(built)) {
  await import(built.href);
} else {
  const brought = fileURLToPath(new URL(`../../../node_modules/node-linux-${process.arch}/bin/node`, import.meta.url));
  if (existsSync(brought)) {
    const { spawnSync } = await import('node:child_process');
    const ended = spawnSync(brought, [fileURLToPath(import.meta.url), ...process.argv.slice(2)], { stdio: 'inherit' });
    process.exitCode = ended.status ?? 1;
  } else {
    process.stderr.write(
      `executor: Node ${process.versions.node} cannot run the sources of this checkout: use Node 22.18 or newer, or build it once with 'npm run build --workspace packages/cli'.\n`,
    );
    process.exitCode = 1;
  }
}
