import { writeSync } from 'node:fs';

/** Writes until the kernel took everything: a descriptor that an event loop has made non-blocking takes nothing for a while. */
export function createDescriptorWriter(descriptor: number): (bytes: Uint8Array) => void {
  const write = writeSync;
  const wait = Atomics.wait;
  const clock = new Int32Array(new SharedArrayBuffer(4));
  return (bytes) => {
    for (let offset = 0; offset < bytes.length; ) {
      try {
        offset += write(descriptor, bytes, offset);
      } catch (error) {
        if ((error as { code?: string }).code !== 'EAGAIN') throw error;
        wait(clock, 0, 0, 0.2);
      }
    }
  };
}
