export { DEFAULT_LIMITS, type Sandbox, type SandboxAdapter, type SandboxEnd, type SandboxLimits, type SandboxSpec } from './port.ts';
