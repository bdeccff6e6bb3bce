import type { Keys } from '@code-executor/executions';
import type { GatewayApp, RouteDeps } from '../../gateway-app.ts';
import type { Access } from './access.ts';
import { registerAuthorize } from './authorize.ts';
import { registerDevice } from './device.ts';
import { acceptForms } from './forms.ts';
import { registerGrantRoutes } from './grants.ts';
import { registerMetadata } from './metadata.ts';
import { registerTokenRoutes } from './token.ts';

/**
 * The authorization server of this service, for its own endpoints alone. `/oauth/callback` is not of it: there this
 * service is the client of others. `keys`: API keys alone, with which humans consent; a token cannot beget another.
 */
export async function registerOauthServer(app: GatewayApp, deps: RouteDeps, access: Access, keys: Keys): Promise<void> {
  registerMetadata(app, deps, access);
  registerGrantRoutes(app, deps, access);
  await app.register(async (scope) => {
    acceptForms(scope);
    registerAuthorize(scope as GatewayApp, deps, access, keys);
    registerTokenRoutes(scope as GatewayApp, deps, access);
    registerDevice(scope as GatewayApp, deps, access.oauth, keys);
  });
}
