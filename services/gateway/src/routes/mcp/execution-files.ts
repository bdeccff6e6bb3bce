import type { Readable } from 'node:stream';
import type { Principal } from '@code-executor/contracts';
import type { ExecutionRecord, Executions } from '@code-executor/executions';
import type { ContentBlock } from '@modelcontextprotocol/server';

/** Larger ones come as links: a model takes no more of an image anyway. */
const INLINE_IMAGE_BYTES = 1024 * 1024;
const INLINE_TOTAL_BYTES = 4 * 1024 * 1024;
/** Of what one execution left, so many are told of. */
const FILES_LIMIT = 50;

const IMAGES: Readonly<Record<string, string>> = {
  png: 'image/png',
  jpg: 'image/jpeg',
  jpeg: 'image/jpeg',
  gif: 'image/gif',
  webp: 'image/webp',
};
const TYPES: Readonly<Record<string, string>> = {
  ...IMAGES,
  svg: 'image/svg+xml',
  pdf: 'application/pdf',
  json: 'application/json',
  csv: 'text/csv',
  txt: 'text/plain',
  md: 'text/markdown',
  html: 'text/html',
};

/** What an execution left in /workspace/artifacts: small images as they are, the rest as links to resources. */
export async function filesOf(executions: Executions, principal: Principal, { executionId }: ExecutionRecord): Promise<ContentBlock[]> {
  const { artifacts } = executions;
  if (artifacts === undefined) return [];
  const { items } = await artifacts.list(principal, executionId);
  const blocks: ContentBlock[] = [];
  let inlined = 0;
  for (const { path, bytes } of items.slice(0, FILES_LIMIT)) {
    const mimeType = mimeTypeOf(path);
    const isImage = Object.values(IMAGES).includes(mimeType);
    if (isImage && bytes <= INLINE_IMAGE_BYTES && inlined + bytes <= INLINE_TOTAL_BYTES) {
      const { content } = await artifacts.open(principal, executionId, path);
      inlined += bytes;
      blocks.push({ type: 'image', data: (await readAll(content)).toString('base64'), mimeType });
    } else {
      blocks.push({ type: 'resource_link', uri: artifactUri(executionId, path), name: path, mimeType, size: bytes });
    }
  }
  return blocks;
}

const artifactUri = (executionId: string, path: string): string =>
  `artifact://${executionId}/${path.split('/').map(encodeURIComponent).join('/')}`;

export function mimeTypeOf(path: string): string {
  const extension = /\.([a-z0-9]{1,8})$/i.exec(path)?.[1]?.toLowerCase() ?? '';
  return TYPES[extension] ?? 'application/octet-stream';
}

export async function readAll(content: Readable): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of content) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}
