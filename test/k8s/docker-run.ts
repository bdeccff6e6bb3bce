import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type Manifest, onlyContainer, ROOT, workload } from './manifests.ts';

/** Where nodes have the profile, to where the tree has it. */
const PROFILES: Readonly<Record<string, string>> = { 'code-executor/worker.json': 'sandbox-image/seccomp.json' };

/**
 * The flags of `docker run` that give a container what the kubelet gives the one container of this workload: user, privileges, seccomp
 * profile, limits, volumes, environment. Secrets become files with made-up content below `directory`; they are readable to
 * everybody there, since only root could give them to the pod's group. Nothing is said of the network and the probes.
 */
export async function dockerRunFlags(manifests: readonly Manifest[], name: string, directory: string): Promise<readonly string[]> {
  const { pod } = workload(manifests, name);
  const { securityContext = {}, resources, env = [], volumeMounts = [] } = onlyContainer(manifests, name);
  const { runAsUser, runAsGroup, fsGroup, seccompProfile } = pod.securityContext ?? {};
  const flags = ['--user', `${runAsUser}:${runAsGroup}`, '--group-add', String(fsGroup)];
  if (securityContext.readOnlyRootFilesystem) flags.push('--read-only');
  if (securityContext.allowPrivilegeEscalation === false) flags.push('--security-opt', 'no-new-privileges');
  for (const capability of securityContext.capabilities?.drop ?? []) flags.push('--cap-drop', capability);
  for (const capability of securityContext.capabilities?.add ?? []) flags.push('--cap-add', capability);
  if (seccompProfile?.type === 'Localhost')
    flags.push('--security-opt', `seccomp=${join(ROOT, PROFILES[seccompProfile.localhostProfile ?? ''] ?? 'no such profile')}`);
  flags.push('--memory', String(bytesOf(resources?.limits?.memory)));
  // As the kubelet says it; --cpus refuses more than the machine has.
  flags.push('--cpu-period', '100000', '--cpu-quota', String(Number(resources?.limits?.cpu) * 100_000));
  for (const { name: variable, value } of env) flags.push('--env', `${variable}=${value}`);
  for (const { name: volume, mountPath, readOnly } of volumeMounts) {
    const { emptyDir, secret } = pod.volumes?.find((one) => one.name === volume) ?? {};
    // The kubelet's mode and group for a volume of a pod with fsGroup.
    if (emptyDir !== undefined)
      flags.push('--tmpfs', `${mountPath}:exec,mode=2777,gid=${fsGroup},size=${bytesOf(emptyDir.sizeLimit)}${readOnly ? ',ro' : ''}`);
    else if (secret !== undefined) flags.push('--volume', `${await writeSecrets(env, mountPath, directory)}:${mountPath}:ro`);
    else throw new Error(`a volume like ${volume} is not translated`);
  }
  return flags;
}

const UNITS: Readonly<Record<string, number>> = { Mi: 1024 ** 2, Gi: 1024 ** 3 };

function bytesOf(quantity: string | number | undefined): number {
  const [, number, unit = ''] = /^(\d+)(Mi|Gi)$/.exec(String(quantity)) ?? [];
  const factor = UNITS[unit];
  if (factor === undefined) throw new Error(`${quantity} is not translated`);
  return Number(number) * factor;
}

async function writeSecrets(env: readonly { name: string; value?: string }[], mountPath: string, directory: string): Promise<string> {
  const folder = join(directory, 'secrets');
  await mkdir(folder, { recursive: true });
  for (const { name, value = '' } of env) {
    if (!value.startsWith(`${mountPath}/`)) continue;
    const content = name === 'REDIS_URL_FILE' ? 'redis://worker:secret@127.0.0.1:6379' : 'f'.repeat(64);
    await writeFile(join(folder, value.slice(mountPath.length + 1)), `${content}\n`, { mode: 0o444 });
  }
  return folder;
}
