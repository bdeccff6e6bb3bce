/** What single-use containers cannot promise, in the words that `doctor`, the log and the conformance suite use. */
export const CONTAINER_DEGRADATIONS: readonly string[] = [
  'A program runs as a user of this host that no other sandbox has meanwhile, not as user 1000 of a user namespace of its own.',
  'That it is in a container can be seen: /sys is there, though closed, and /.dockerenv; mountinfo names directories of the engine.',
  'Workspaces cannot be read from outside: there are no sessions, and what programs leave in artifacts/ is not kept.',
  'The highest memory use is not told: the engine bounds it, caches of files included.',
];
