import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type Manifest, named, ofKind, onlyContainer, ROOT, workload } from './manifests.ts';

/** Where nodes have the profile, to where the tree has it. */
const PROFILES: Readonly<Record<string, string>> = { 'code-executor/worker.json': 'sandbox-image/seccomp.json' };

/**
 * The flags of `docker run` that give a container what the kubelet gives the one container of this workload: user, privileges, seccomp
 * profile, limits, volumes, environment. The files of `secret` and of ConfigMaps lie below `directory`, readable to everybody there,
 * since only root could give them to the pod's group; a claimed volume is memory. `user` takes the place of the pod's where another
 * image stands in. Nothing is said of the network and the probes.
 */
export async function dockerRunFlags(
  manifests: readonly Manifest[],
  name: string,
  { secret, directory, user }: { readonly secret: Files; readonly directory: string; readonly user?: { uid: number; gid: number } },
): Promise<readonly string[]> {
  const { pod } = workload(manifests, name);
  const { securityContext = {}, resources, env = [], volumeMounts = [] } = onlyContainer(manifests, name);
  const { runAsUser, runAsGroup, fsGroup, seccompProfile } = pod.securityContext ?? {};
  const { uid, gid } = user ?? { uid: runAsUser, gid: runAsGroup };
  const flags = ['--user', `${uid}:${gid}`, '--group-add', String(fsGroup)];
  if (securityContext.readOnlyRootFilesystem) flags.push('--read-only');
  if (securityContext.allowPrivilegeEscalation === false) flags.push('--security-opt', 'no-new-privileges');
  for (const capability of securityContext.capabilities?.drop ?? []) flags.push('--cap-drop', capability);
  for (const capability of securityContext.capabilities?.add ?? []) flags.push('--cap-add', capability);
  if (seccompProfile?.type === 'Localhost')
    flags.push('--security-opt', `seccomp=${join(ROOT, PROFILES[seccompProfile.localhostProfile ?? ''] ?? 'no such profile')}`);
  flags.push('--memory', String(bytesOf(resources?.limits?.memory)));
  // As the kubelet says it; --cpus refuses more than the machine has.
  if (resources?.limits?.cpu !== undefined)
    flags.push('--cpu-period', '100000', '--cpu-quota', String(Number(resources.limits.cpu) * 100_000));
  for (const { name: variable, value } of env) flags.push('--env', `${variable}=${value}`);
  for (const { name: volume, mountPath, subPath = '' } of volumeMounts) {
    const { emptyDir, secret: secretSource, configMap } = pod.volumes?.find((one) => one.name === volume) ?? {};
    if (secretSource !== undefined || configMap !== undefined) {
      const files = configMap === undefined ? secret : filesOf(manifests, configMap.name);
      const folder = await writeFiles(files, join(directory, `${name}-${volume}`));
      flags.push('--volume', `${join(folder, subPath)}:${mountPath}:ro`);
    } else {
      // The kubelet's mode and group for a volume of a pod with fsGroup. Docker takes the mode of a directory that the image has there.
      const size = emptyDir === undefined ? `${CLAIMED_BYTES},uid=${uid}` : bytesOf(emptyDir.sizeLimit);
      flags.push('--tmpfs', `${mountPath}:exec,mode=2777,gid=${fsGroup},size=${size}`);
    }
  }
  return flags;
}

type Files = Readonly<Record<string, string>>;

const CLAIMED_BYTES = 256 * 1024 ** 2;
const UNITS: Readonly<Record<string, number>> = { Mi: 1024 ** 2, Gi: 1024 ** 3 };

function bytesOf(quantity: string | number | undefined): number {
  const [, number, unit = ''] = /^(\d+)(Mi|Gi)$/.exec(String(quantity)) ?? [];
  const factor = UNITS[unit];
  if (factor === undefined) throw new Error(`${quantity} is not translated`);
  return Number(number) * factor;
}

function filesOf(manifests: readonly Manifest[], configMap: string | undefined): Files {
  return named(ofKind<{ data: Files }>(manifests, 'ConfigMap'), configMap ?? '').data;
}

async function writeFiles(files: Files, folder: string): Promise<string> {
  await mkdir(folder, { recursive: true });
  for (const [name, content] of Object.entries(files)) await writeFile(join(folder, name), content, { mode: 0o555 });
  return folder;
}
