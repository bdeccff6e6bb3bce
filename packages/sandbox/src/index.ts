export { type BubblewrapAdapterOptions, createBubblewrapAdapter } from './bubblewrap/bubblewrap-adapter.ts';
export { buildLauncher } from './launcher/build-launcher.ts';
export { createLauncherAdapter, type LauncherAdapterOptions } from './launcher/launcher-adapter.ts';
export { createSandboxPool, type SandboxPool, type SandboxPoolOptions, type SandboxPoolStats } from './pool/sandbox-pool.ts';
export { DEFAULT_LIMITS, type Sandbox, type SandboxAdapter, type SandboxEnd, type SandboxLimits, type SandboxSpec } from './port.ts';
