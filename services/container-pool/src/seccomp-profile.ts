import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';

/** That of the worker's container, which makes namespaces. */
const WORKER_PROFILE = join(import.meta.dirname, '../../../sandbox-image/seccomp.json');

const ruleSchema = z.looseObject({ names: z.array(z.string()), action: z.string(), args: z.array(z.unknown()).optional() });
const profileSchema = z.looseObject({ defaultAction: z.literal('SCMP_ACT_ERRNO'), syscalls: z.array(ruleSchema) });

/** Calls that only a launcher needs; whoever is a sandbox already makes none. */
const OF_NAMESPACES = new Set([
  'unshare',
  'mount',
  'umount2',
  'pivot_root',
  'open_tree',
  'move_mount',
  'fsopen',
  'fsconfig',
  'fsmount',
  'mount_setattr',
  'sethostname',
]);
/** NEWNS, NEWCGROUP, NEWUTS, NEWIPC, NEWUSER, NEWPID, NEWNET. */
const CLONE_NEW_ANY = 0x7e02_0000;

/** The seccomp profile of single-use containers as JSON text: the worker's without what makes namespaces. Throws where that one is no such profile. */
export async function containerSeccompProfile(): Promise<string> {
  const profile = profileSchema.parse(JSON.parse(await readFile(WORKER_PROFILE, 'utf8')));
  const syscalls = profile.syscalls.flatMap((rule) => {
    const names = rule.names.filter((name) => !OF_NAMESPACES.has(name) && name !== 'clone');
    return names.length === 0 ? [] : [{ ...rule, names }];
  });
  const clone = {
    names: ['clone'],
    action: 'SCMP_ACT_ALLOW',
    args: [{ index: 0, value: CLONE_NEW_ANY, valueTwo: 0, op: 'SCMP_CMP_MASKED_EQ' }],
  };
  return JSON.stringify({ ...profile, syscalls: [...syscalls, clone] });
}
