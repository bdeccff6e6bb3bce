import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const BESIDE_THE_CHECKOUT = fileURLToPath(new URL('../../../shared/fixtures/', import.meta.url));

/**
 * Where documents of real APIs lie, in `openapi`, `graphql` and `discovery`: beside the prepared MCP servers, where the account that
 * runs the tests can read them, or else in ../shared/fixtures. The directory need not exist.
 */
export function documentFixtures(): string {
  const prepared = join(process.env.EXECUTOR_TEST_FIXTURES ?? '', 'documents');
  return process.env.EXECUTOR_TEST_FIXTURES !== undefined && existsSync(prepared) ? prepared : BESIDE_THE_CHECKOUT;
}
