import { createServer, type RequestListener } from 'node:http';
import { createRequire } from 'node:module';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';

/** As much of these packages as is used; they lie in a folder of their own, not among the dependencies. */
interface Packages {
  readonly buildSchema: (sdl: string, options: object) => GraphqlSchema;
  readonly isScalarType: (type: unknown) => boolean;
  readonly isSpecifiedScalarType: (type: unknown) => boolean;
  readonly addMocksToSchema: (options: { schema: unknown; mocks: Record<string, () => unknown> }) => unknown;
  readonly createYoga: (options: object) => RequestListener;
}
interface GraphqlSchema {
  getTypeMap(): Record<string, { readonly name: string }>;
}

/** graphql-yoga over a schema whose every field answers with something made up. It judges each query before it runs it. */
export async function startGraphqlServer(mocks: string, sdl: string): Promise<{ url: string; close(): Promise<void> }> {
  const load = createRequire(join(mocks, 'package.json'));
  const graphql = load('graphql') as Pick<Packages, 'buildSchema' | 'isScalarType' | 'isSpecifiedScalarType'>;
  const { addMocksToSchema } = load('@graphql-tools/mock') as Pick<Packages, 'addMocksToSchema'>;
  const { createYoga } = load('graphql-yoga') as Pick<Packages, 'createYoga'>;
  // Directives that nobody defines and the like are no hindrance.
  const schema = graphql.buildSchema(sdl, { assumeValidSDL: true, assumeValid: true });
  const scalars = Object.values(schema.getTypeMap()).filter((type) => graphql.isScalarType(type) && !graphql.isSpecifiedScalarType(type));
  const made = Object.fromEntries(scalars.map(({ name }) => [name, () => `some ${name}`]));
  const yoga = createYoga({ schema: addMocksToSchema({ schema, mocks: made }), maskedErrors: false, logging: false, batching: false });
  const server = createServer(yoga);
  server.listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/graphql`,
    async close() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
