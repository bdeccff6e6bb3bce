import type { Principal } from '@code-executor/contracts';
import { AppError } from '@code-executor/platform';
import { type ListResourceTemplatesResult, type ReadResourceResult, ResourceNotFoundError } from '@modelcontextprotocol/server';
import type { RouteDeps } from '../../gateway-app.ts';
import { asReader } from '../../plugins/scopes.ts';
import { serializeExecution } from '../executions/serialize-execution.ts';
import { mimeTypeOf, readAll } from './execution-files.ts';

/** A file larger than this is fetched over GET /executions/:id/artifacts, as a stream. */
const RESOURCE_LIMIT_BYTES = 16 * 1024 * 1024;

const TEMPLATES = [
  {
    uriTemplate: 'wrapper://{server}/{tool}.ts',
    name: 'wrapper',
    description: 'Wrapper of a tool, TypeScript',
    mimeType: 'text/x-typescript',
  },
  {
    uriTemplate: 'wrapper://{server}/{tool}.py',
    name: 'wrapper-python',
    description: 'Wrapper of a tool, Python',
    mimeType: 'text/x-python',
  },
  { uriTemplate: 'execution://{executionId}', name: 'execution', description: 'An execution in full', mimeType: 'application/json' },
  { uriTemplate: 'artifact://{executionId}/{+path}', name: 'artifact', description: 'A file that an execution left' },
];

export const listResourceTemplates = (): ListResourceTemplatesResult => ({ resourceTemplates: TEMPLATES });

/** Every read is judged for the principal by whoever has the thing. */
export async function readResource(deps: RouteDeps, principal: Principal, uri: string): Promise<ReadResourceResult> {
  const [, scheme = '', host = '', rest = ''] = /^([a-z]+):\/\/([^/]{1,200})(?:\/(.{1,1000}))?$/s.exec(uri) ?? [];
  if (scheme === 'wrapper') return await readWrapper(deps, principal, uri, host, decoded(rest));
  if (scheme === 'execution' && rest === '') {
    const text = serializeExecution(await deps.executions.get(asReader(principal), executionIdOf(host, uri)));
    return { contents: [{ uri, mimeType: 'application/json', text }] };
  }
  if (scheme === 'artifact') return await readArtifact(deps, asReader(principal), uri, executionIdOf(host, uri), decoded(rest));
  throw new ResourceNotFoundError(uri.slice(0, 300));
}

async function readWrapper(
  { tools }: RouteDeps,
  principal: Principal,
  uri: string,
  server: string,
  file: string,
): Promise<ReadResourceResult> {
  const [, tool = '', extension = ''] = /^(.+)\.(ts|py)$/s.exec(file) ?? [];
  if (tool === '') throw new ResourceNotFoundError(uri.slice(0, 300));
  const { wrapper } = await tools.toolInfo(principal, server, tool);
  const python = extension === 'py';
  return {
    contents: [{ uri, mimeType: python ? 'text/x-python' : 'text/x-typescript', text: python ? wrapper.pythonSource : wrapper.source }],
  };
}

async function readArtifact(
  { executions }: RouteDeps,
  principal: Principal,
  uri: string,
  executionId: string,
  path: string,
): Promise<ReadResourceResult> {
  if (executions.artifacts === undefined) throw new ResourceNotFoundError(uri.slice(0, 300));
  const { bytes, content } = await executions.artifacts.open(principal, executionId, path);
  if (bytes > RESOURCE_LIMIT_BYTES) {
    content.destroy();
    throw new AppError(
      'FILE_TOO_LARGE',
      `${path.slice(0, 200)} has ${bytes} bytes; fetch it with GET /executions/${executionId}/artifacts.`,
    );
  }
  const mimeType = mimeTypeOf(path);
  const all = await readAll(content);
  const isText = mimeType.startsWith('text/') || mimeType === 'application/json' || mimeType === 'image/svg+xml';
  return { contents: [isText ? { uri, mimeType, text: all.toString('utf8') } : { uri, mimeType, blob: all.toString('base64') }] };
}

function executionIdOf(host: string, uri: string): string {
  if (/^exe_[0-9a-z]{26}$/.test(host)) return host;
  throw new ResourceNotFoundError(uri.slice(0, 300));
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch (error) {
    throw new AppError('INVALID_REQUEST', 'The address of the resource is not properly percent-encoded.', { cause: error });
  }
}
