import { randomUUID } from 'node:crypto';
import { GenericContainer, getContainerRuntimeClient, PullPolicy } from 'testcontainers';

/** A file system of a few megabytes that a store keeps its data on, and that can be filled to the last byte. */
export interface SmallDisk {
  /** Name of the volume. */
  readonly volume: string;
  fill(): Promise<void>;
  free(): Promise<void>;
  close(): Promise<void>;
}

/** Any image with a shell will do; this one is there where Redis is. */
const IMAGE = 'redis:8-bookworm';
const LIFETIME_SECONDS = 1_800;

/** It lies in memory and would be gone with the last container that has it mounted: one stands by for as long as it is used. */
export async function createSmallDisk(megabytes: number): Promise<SmallDisk> {
  const { container } = await getContainerRuntimeClient();
  const volume = `chaos-${randomUUID()}`;
  await container.dockerode.createVolume({
    Name: volume,
    Driver: 'local',
    DriverOpts: { type: 'tmpfs', device: 'tmpfs', o: `size=${megabytes}m` },
  });
  const removeVolume = () => container.dockerode.getVolume(volume).remove();
  try {
    const holder = await new GenericContainer(IMAGE)
      .withPullPolicy(PullPolicy.neverPull())
      .withEntrypoint(['sleep', String(LIFETIME_SECONDS)])
      .withCommand([])
      .withBindMounts([{ source: volume, target: '/disk' }])
      .start();
    const run = async (script: string): Promise<void> => {
      const { output, exitCode } = await holder.exec(['bash', '-c', script]);
      if (exitCode !== 0) throw new Error(`${script} ended with ${exitCode}: ${output.slice(0, 500)}`);
    };
    return {
      volume,
      // To the last block, and again: whoever has it may have given some back meanwhile.
      fill: () =>
        run('n=0; while [[ $n -lt 3 ]]; do dd if=/dev/zero of=/disk/filler.$n bs=4k status=none 2>/dev/null; n=$((n + 1)); done; true'),
      free: () => run('rm -f /disk/filler.*'),
      async close() {
        await container.getById(holder.getId()).remove({ force: true, v: true });
        await removeVolume();
      },
    };
  } catch (error) {
    await removeVolume();
    throw error;
  }
}
