import { createHash } from 'node:crypto';
import { RUNTIMES } from '@code-executor/contracts';
import { z } from 'zod';

/**
 * What a worker and the service that makes containers say to each other: one Unix connection for each sandbox, one JSON text a line. The
 * connection is the lease: when it ends, whichever way, the container is destroyed. Nothing else of a container can be asked for.
 */

const whole = (max: number) => z.number().int().min(1).max(max);
const DIGEST = /^[0-9a-f]{64}$/;

/** First line of a connection. Strict: a word that is not known is refused. */
export const containerOrderSchema = z.strictObject({
  type: z.literal('order'),
  key: z.string().max(1_024),
  runtime: z.enum(RUNTIMES),
  waits: z.boolean(),
  /** Of the wrapper files, as `snapshotDigest` names them. */
  snapshot: z.string().regex(DIGEST).nullable(),
  /** The service has maxima of its own besides. */
  limits: z.strictObject({
    memoryMb: whole(1_000_000),
    processes: whole(1_000_000),
    openFiles: whole(1_000_000),
    fileSizeMb: whole(1_000_000),
    workspaceMb: whole(1_000_000),
    tmpMb: whole(1_000_000),
    shmMb: whole(1_000_000),
    inodes: whole(100_000_000),
  }),
});
export type ContainerOrder = z.infer<typeof containerOrderSchema>;

const pathSchema = z.string().min(1).max(1_024);
const fileSchema = z.strictObject({ type: z.literal('file'), path: pathSchema, content: z.base64() });
const linkSchema = z.strictObject({ type: z.literal('link'), path: pathSchema, to: pathSchema });

/** Every later line of a worker. */
export const containerRequestSchema = z.discriminatedUnion('type', [
  /** After `missing`: the files of the snapshot, ended by `stored`. */
  fileSchema,
  linkSchema,
  z.strictObject({ type: z.literal('stored') }),
  /** The sockets of the sandbox are listened on: start its container. */
  z.strictObject({ type: z.literal('start') }),
  /** The runtime was ended by a signal that nobody sent: was it for want of memory? */
  z.strictObject({ type: z.literal('memory') }),
  z.strictObject({ type: z.literal('remove') }),
]);
export type ContainerRequest = z.infer<typeof containerRequestSchema>;

/** Lines of the service. */
export const containerAnswerSchema = z.discriminatedUnion('type', [
  /** The snapshot has to be sent first. */
  z.object({ type: z.literal('missing') }),
  /** Directory below `channels`, beside the service's own socket, that this worker and this container share. */
  z.object({ type: z.literal('place'), directory: z.string().regex(/^[0-9a-f]{32}$/) }),
  z.object({ type: z.literal('refused'), reason: z.string().max(2_000) }),
  /** The kernel ended a process of it for want of memory. */
  z.object({ type: z.literal('out-of-memory') }),
  z.object({ type: z.literal('memory'), outOfMemory: z.boolean() }),
  /** No process of it is left, or none was ever started. */
  z.object({ type: z.literal('gone'), reason: z.string().max(2_000).nullable() }),
]);
export type ContainerAnswer = z.infer<typeof containerAnswerSchema>;

export type SnapshotEntry =
  | { readonly type: 'file'; readonly path: string; readonly content: Buffer }
  | { readonly type: 'link'; readonly path: string; readonly to: string };

/** One entry's part of its snapshot's name. */
export function entryDigest(entry: SnapshotEntry): string {
  const what = entry.type === 'file' ? createHash('sha256').update(entry.content).digest('hex') : entry.to;
  return JSON.stringify([entry.type, entry.path, what]);
}

/** Names a snapshot by what is in it, so that nobody can put other files in its place. */
export function snapshotDigest(entryDigests: readonly string[]): string {
  return createHash('sha256')
    .update([...entryDigests].sort().join('\n'))
    .digest('hex');
}

/** Names of the sockets and of the pipe in the directory that is shared; the container's init opens them. */
export const CHANNEL_NAME = 'channel';
export const CONTROL_NAME = 'control';
export const OUTPUT_NAME = 'output';
