export { type BubblewrapAdapterOptions, createBubblewrapAdapter } from './bubblewrap/bubblewrap-adapter.ts';
export type { Determinism } from './channel/frame-channel.ts';
export {
  CHANNEL_NAME,
  CONTROL_NAME,
  type ContainerAnswer,
  type ContainerOrder,
  type ContainerRequest,
  containerOrderSchema,
  containerRequestSchema,
  entryDigest,
  OUTPUT_NAME,
  type SnapshotEntry,
  snapshotDigest,
} from './container/protocol.ts';
export { buildLauncher } from './launcher/build-launcher.ts';
export { createLauncherAdapter, type LauncherAdapterOptions } from './launcher/launcher-adapter.ts';
export { sandboxLimitSettings, sandboxLimitsOf } from './limit-settings.ts';
export {
  createMemoryWatch,
  type MemoryWatch,
  type MemoryWatchOptions,
  type WatchedMemory,
} from './memory-watch/create-memory-watch.ts';
export { type AdapterChoice, openSandboxAdapter } from './open-adapter.ts';
export { makeSnapshotsDir, openSandboxes, type Sandboxes } from './open-sandboxes.ts';
export { registerPoolMetrics } from './pool/pool-metrics.ts';
export { createSandboxPool, type SandboxPool, type SandboxPoolOptions, type SandboxPoolStats } from './pool/sandbox-pool.ts';
export { DEFAULT_LIMITS, type Sandbox, type SandboxAdapter, type SandboxEnd, type SandboxLimits, type SandboxSpec } from './port.ts';
export { type BuildRunnersOptions, buildRunners, runnersName } from './program/build-runners.ts';
export type { CallJournal } from './program/frame-payloads.ts';
export { IDENTITY_POSITIONS, type PositionMap, toUserPosition } from './program/position-map.ts';
export {
  type Program,
  type ProgramControls,
  type ProgramHooks,
  type ProgramOutcome,
  type RunProgramOptions,
  runProgram,
} from './program/run-program.ts';
export { type SentProgram, sendAhead } from './program/send-program.ts';
export { layOutRoot } from './rootfs/lay-out-root.ts';
export { CPU_LIMIT_SECONDS, dataLimitMb, runtimeCommand } from './rootfs/runtime-command.ts';
export { runtimePaths } from './rootfs/runtime-paths.ts';
export { seccompFilter } from './seccomp/filter.ts';
export { type KeptSandbox, keepSandbox } from './session/kept-sandbox.ts';
export {
  ARTIFACTS_DIRECTORY,
  type ArtifactBounds,
  type CollectedArtifacts,
  type CollectedFile,
  collectArtifacts,
  type KeepFile,
  type LeftBehind,
} from './workspace/collect-artifacts.ts';
export { listWorkspaceFiles, openWorkspaceFile, writeWorkspaceFile } from './workspace/workspace-files.ts';
