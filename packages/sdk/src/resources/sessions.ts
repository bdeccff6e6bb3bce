import { segment, segments, sendForJson } from '../http/json.ts';
import type { RequestOptions, Send } from '../http/send.ts';
import type { Artifact, Session } from '../types/execution.ts';
import type { Page } from '../types/page.ts';

/** Sandboxes that stay. The first `execute` with a `sessionId` begins one. */
export interface Sessions {
  list(options?: RequestOptions): Promise<Page<Session>>;
  end(id: string, options?: RequestOptions): Promise<void>;
  files(id: string, options?: RequestOptions): Promise<Page<Artifact>>;
  download(id: string, path: string, options?: RequestOptions): Promise<Uint8Array>;
  /** Up to 64 MB; folders on the way are made. */
  upload(id: string, path: string, content: Uint8Array | string, options?: RequestOptions): Promise<Artifact>;
}

export function sessionsOf(send: Send): Sessions {
  const fileOf = (id: string, path: string): string => `/sessions/${segment(id)}/files/${segments(path)}`;
  return {
    list: (options) => sendForJson(send, { method: 'GET', path: '/sessions', options }),
    end: (id, options) => sendForJson(send, { method: 'DELETE', path: `/sessions/${segment(id)}`, options }),
    files: (id, options) => sendForJson(send, { method: 'GET', path: `/sessions/${segment(id)}/files`, options }),
    async download(id, path, options) {
      const response = await send({ method: 'GET', path: fileOf(id, path), options });
      return new Uint8Array(await response.arrayBuffer());
    },
    upload: (id, path, content, options) => sendForJson(send, { method: 'PUT', path: fileOf(id, path), bytes: content, options }),
  };
}
