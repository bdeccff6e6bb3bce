import { copyFile, mkdir, readdir, readlink, rm, symlink, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';

/** Fills `dir` with the /etc that sandboxes see: nothing in it names a user, a host or a server of this machine. */
export async function writeEtc(dir: string): Promise<void> {
  for (const [name, text] of Object.entries(GENERATED)) await writeFile(join(dir, name), text);
  for (const name of COPIED) {
    await mkdir(dirname(join(dir, name)), { recursive: true });
    await copyFile(join('/etc', name), join(dir, name)).catch(ignoreMissing);
  }
  await copyLinks('/etc/alternatives', join(dir, 'alternatives'));
}

const GENERATED: Readonly<Record<string, string>> = {
  passwd:
    'root:x:0:0:root:/nonexistent:/usr/sbin/nologin\nsandbox:x:1000:1000:sandbox:/workspace:/bin/sh\nnobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin\n',
  group: 'root:x:0:\nsandbox:x:1000:\nnogroup:x:65534:\n',
  hosts: '127.0.0.1 localhost sandbox\n::1 localhost ip6-localhost\n',
  hostname: 'sandbox\n',
  'nsswitch.conf': 'passwd: files\ngroup: files\nhosts: files\nservices: files\nprotocols: files\n',
  // Without a name server a look-up fails at once instead of waiting for one.
  'resolv.conf': '',
};

const COPIED = [
  'ld.so.cache',
  'localtime',
  'mime.types',
  'os-release',
  'protocols',
  'services',
  'ssl/openssl.cnf',
  'ssl/certs/ca-certificates.crt',
];

/** Debian's commands such as `awk`, and libraries such as BLAS, are links through /etc/alternatives. */
async function copyLinks(from: string, to: string): Promise<void> {
  await mkdir(to, { recursive: true });
  const names = await readdir(from).catch((error: unknown) => {
    ignoreMissing(error);
    return [];
  });
  await Promise.all(
    names.map(async (name) => {
      const target = await readlink(join(from, name)).catch(() => null);
      if (target === null) return;
      await rm(join(to, name), { force: true });
      await symlink(target, join(to, name));
    }),
  );
}

function ignoreMissing(error: unknown): void {
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  // A distribution may lack the file, or keep it from the service's user.
  if (code !== 'ENOENT' && code !== 'EACCES') throw error;
}
