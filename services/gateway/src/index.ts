export { buildGateway, type GatewayOptions } from './app.ts';
export { type GatewayConfig, type GatewayConfigInput, gatewayConfigSchema } from './config.ts';
export type { GatewayApp, ObservedExecutions, PoolStats } from './gateway-app.ts';
export { checkAccess, openFaces } from './open-access.ts';
