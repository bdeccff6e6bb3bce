export { readProxyConfig } from './config.ts';
export { startMcpProxy } from './mcp-proxy.ts';
