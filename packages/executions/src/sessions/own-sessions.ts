import type { Principal } from '@code-executor/contracts';
import type { SessionsService } from './create-sessions.ts';
import type { SessionOwner } from './session-rows.ts';
import type { Sessions } from './sessions.ts';

/** The sessions of this process as a gateway in the same process reaches them. */
export function ownSessions(sessions: SessionsService): Sessions {
  return {
    list: async ({ workspaceId, id }) => sessions.list({ workspaceId, principalId: id }),
    end: (principal, sessionId) => sessions.end(ownerOf(principal, sessionId)),
    files: async (principal, sessionId) => sessions.files(ownerOf(principal, sessionId)),
    readFile: async (principal, sessionId, path) => sessions.readFile(ownerOf(principal, sessionId), path),
    writeFile: (principal, sessionId, path, content) => sessions.writeFile(ownerOf(principal, sessionId), path, content),
  };
}

export const ownerOf = ({ workspaceId, id }: Principal, sessionId: string): SessionOwner => ({ workspaceId, principalId: id, sessionId });
