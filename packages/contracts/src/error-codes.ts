/**
 * The one table of error codes. A code is stable: clients branch on it, the message is for people.
 * `status` is the HTTP status the gateway answers with; codes of an execution's own `error` are data in a 200 answer
 * and carry no status. `retryable` says whether the very same request may succeed later.
 */
interface ErrorCodeEntry {
  readonly status: number | null;
  readonly retryable: boolean;
  readonly meaning: string;
}

export const ERROR_CODES = {
  // The request itself
  INVALID_REQUEST: { status: 400, retryable: false, meaning: 'A field is missing, unknown or has the wrong type; the message names it.' },
  MALFORMED_JSON: { status: 400, retryable: false, meaning: 'The body is not JSON, repeats a key, or nests too deep.' },
  INVALID_EVENT_ID: { status: 400, retryable: false, meaning: 'Last-Event-ID is no event id of this execution.' },
  UNSUPPORTED_LANGUAGE: { status: 400, retryable: false, meaning: 'No runtime for this language; the message lists those there are.' },
  CODE_TOO_LARGE: { status: 413, retryable: false, meaning: 'The program is larger than the limit (256 KB).' },
  BODY_TOO_LARGE: { status: 413, retryable: false, meaning: 'The request body is larger than the limit.' },
  UNSUPPORTED_MEDIA_TYPE: { status: 415, retryable: false, meaning: 'The body must be application/json.' },
  UNAUTHENTICATED: { status: 401, retryable: false, meaning: 'No key, or one that is unknown, expired or revoked.' },
  FORBIDDEN: { status: 403, retryable: false, meaning: "The key's role does not allow this." },
  HOST_NOT_ALLOWED: { status: 403, retryable: false, meaning: 'The Host or Origin header names a host this gateway does not answer to.' },
  NOT_FOUND: { status: 404, retryable: false, meaning: 'No such route or resource.' },
  METHOD_NOT_ALLOWED: { status: 405, retryable: false, meaning: 'The route exists, but not with this method.' },
  EXECUTION_NOT_FOUND: { status: 404, retryable: false, meaning: 'No such execution, or one of another principal.' },
  EXECUTION_ENDED: { status: 409, retryable: false, meaning: 'The execution has ended already.' },
  FILE_NOT_FOUND: { status: 404, retryable: false, meaning: 'No plain file of this path.' },
  FILE_TOO_LARGE: { status: 413, retryable: false, meaning: 'The file is larger than 64 MB, or the workspace has no room for it.' },
  SESSION_NOT_FOUND: { status: 404, retryable: false, meaning: 'No such session of this principal; its first execution begins it.' },
  SESSION_BUSY: { status: 409, retryable: true, meaning: 'The session is in use: it takes one execution or file at a time.' },
  SESSION_LIMIT: { status: 429, retryable: true, meaning: 'As many sessions as are allowed are there already; end one first.' },
  EXECUTION_NOT_PAUSED: { status: 409, retryable: false, meaning: 'Only a paused execution can be resumed.' },
  APPROVAL_NOT_FOUND: { status: 404, retryable: false, meaning: 'No such approval, or one of another workspace.' },
  APPROVAL_DECIDED: {
    status: 409,
    retryable: false,
    meaning: 'The approval was decided otherwise, has expired, or was cancelled; details.status says which.',
  },
  EVENTS_GONE: { status: 410, retryable: false, meaning: 'The events after this Last-Event-ID are no longer kept; start without it.' },
  SERVER_NOT_FOUND: { status: 404, retryable: false, meaning: 'No such integration; the message names near matches.' },
  TOOL_NOT_FOUND: { status: 404, retryable: false, meaning: 'No such tool on that server; the message names near matches.' },
  POLICY_EXISTS: { status: 409, retryable: false, meaning: 'Another policy has this pattern with the same conditions and principals.' },
  POLICY_NOT_FOUND: { status: 404, retryable: false, meaning: 'No such policy.' },
  LAST_ADMIN_KEY: { status: 409, retryable: false, meaning: 'The last admin key cannot be revoked; create another first.' },
  WORKSPACE_NOT_FOUND: { status: 404, retryable: false, meaning: 'No such workspace, or none that this key may see.' },
  WORKSPACE_NOT_EMPTY: {
    status: 409,
    retryable: false,
    meaning: 'The workspace has things left, or is the home one; `details` counts them, and nothing was removed.',
  },
  WORKSPACE_EXISTS: { status: 409, retryable: false, meaning: 'Another workspace has this name.' },
  WORKSPACE_LIMIT: { status: 409, retryable: false, meaning: 'There are as many workspaces as one service may have.' },
  KEY_NOT_FOUND: { status: 404, retryable: false, meaning: 'No such key.' },
  INTEGRATION_EXISTS: { status: 409, retryable: false, meaning: 'An integration of this slug exists already.' },
  IDEMPOTENCY_CONFLICT: { status: 409, retryable: false, meaning: 'This Idempotency-Key was used with another body.' },
  QUEUE_FULL: { status: 503, retryable: true, meaning: 'Too many executions are waiting; Retry-After says when to come back.' },
  RATE_LIMITED: { status: 429, retryable: true, meaning: 'Too many requests of this principal; Retry-After says when to come back.' },
  SHUTTING_DOWN: { status: 503, retryable: true, meaning: 'The service is stopping; another replica, or the next start, will answer.' },
  SANDBOX_UNAVAILABLE: { status: 503, retryable: true, meaning: 'No sandbox could be made; `deploy.sh doctor` says why.' },
  QUEUE_UNAVAILABLE: {
    status: 503,
    retryable: true,
    meaning: 'The queue (Redis) cannot be reached or refuses writes; nothing was accepted.',
  },
  LEDGER_UNAVAILABLE: { status: 503, retryable: true, meaning: 'The database, or the service in front of it, does not answer.' },
  TOOLS_UNAVAILABLE: {
    status: 503,
    retryable: true,
    meaning: 'The MCP proxy, which holds catalog, policies and credentials, does not answer.',
  },
  STALE_CLAIM: { status: 409, retryable: false, meaning: 'The claim on this execution has lapsed: its lease ran out, or it has ended.' },
  INTERNAL: { status: 500, retryable: true, meaning: 'A fault of ours. The log has it under the request id.' },

  // One tool call (raised in the program as ToolError.code, answered by /tools/invoke)
  INVALID_ARGUMENTS: { status: 400, retryable: false, meaning: "The arguments do not fit the tool's schema; details names each." },
  ARGUMENTS_TOO_LARGE: { status: 413, retryable: false, meaning: 'The arguments of one call exceed 1 MB.' },
  REPLY_TOO_LARGE: { status: 502, retryable: false, meaning: 'The reply of one call exceeds 8 MB.' },
  CALL_LIMIT: { status: 429, retryable: false, meaning: "The execution's number of tool calls is used up." },
  TOOL_BLOCKED: { status: 403, retryable: false, meaning: 'A policy blocks this tool.' },
  TOOL_NEEDS_APPROVAL: { status: 403, retryable: false, meaning: 'A policy wants a human decision before this call.' },
  APPROVAL_DENIED: { status: 403, retryable: false, meaning: 'A person was asked and said no; the message has the reason.' },
  APPROVAL_VOID: { status: 409, retryable: false, meaning: 'What was approved is not what would be called now; the call was not made.' },
  TOOL_FAILED: { status: 502, retryable: false, meaning: 'The tool answered with an error of its own.' },
  TOOL_TIMEOUT: { status: 504, retryable: true, meaning: 'The upstream server did not answer in time; whether it acted is unknown.' },
  UPSTREAM_UNAVAILABLE: { status: 503, retryable: true, meaning: 'The upstream server is down; details has its state.' },
  UPSTREAM_LOST: { status: 502, retryable: true, meaning: 'The upstream server went away during the call; whether it acted is unknown.' },
  OUTBOUND_REFUSED: {
    status: 403,
    retryable: false,
    meaning:
      'The address belongs to this machine, a private network or a metadata service and is not listed; the message says how to list it.',
  },
  CALL_ABORTED: { status: 499, retryable: false, meaning: 'The execution ended before the call was answered.' },
  CALL_REPEATED: { status: 409, retryable: false, meaning: 'This call of the execution was recorded before; no call is made twice.' },
  TOOL_CHANNEL_UNAVAILABLE: {
    status: null,
    retryable: false,
    meaning: 'This process of the sandbox has no tool channel (a child process, say).',
  },

  // An integration
  INTEGRATION_INVALID: {
    status: 400,
    retryable: false,
    meaning: 'The definition of the integration cannot be used; the message says where and why.',
  },
  INTEGRATION_UNREACHABLE: {
    status: 502,
    retryable: true,
    meaning: 'The upstream server could not be reached or did not speak the protocol.',
  },

  // A connection
  CONNECTION_NOT_FOUND: { status: 404, retryable: false, meaning: 'No such connection; the message names those there are.' },
  CONNECTION_EXISTS: { status: 409, retryable: false, meaning: 'A connection of this integration, owner and name exists already.' },
  CONNECTION_BROKEN: {
    status: 502,
    retryable: false,
    meaning: 'The credential of the connection cannot be had: nothing was sent. The message says what to do.',
  },
  CONNECTION_UNAVAILABLE: {
    status: 503,
    retryable: true,
    meaning: 'What holds or renews the credential (Vault, an authorization server) does not answer: nothing was sent.',
  },
  HANDOFF_NOT_FOUND: { status: 404, retryable: false, meaning: 'There is no such place to enter a secret.' },
  HANDOFF_USED: {
    status: 409,
    retryable: false,
    meaning: 'A secret was entered here already, or its time is over; let a new one be made.',
  },
  AUTHORIZATION_FAILED: { status: 400, retryable: false, meaning: 'The consent page did not end in an authorization; begin it again.' },
  SKILL_NOT_FOUND: { status: 404, retryable: false, meaning: 'There is no skill of this name, or not in this version.' },
  SKILL_INVALID: {
    status: 400,
    retryable: false,
    meaning: 'The skill cannot be saved as it is; `details` has line and column where its code does not parse.',
  },
  SKILL_LIMIT: { status: 409, retryable: false, meaning: 'The workspace holds as many skills as it may; remove one first.' },

  // How an execution can end (data, HTTP 200)
  SYNTAX_ERROR: { status: null, retryable: false, meaning: 'The program does not parse.' },
  TYPECHECK_FAILED: { status: null, retryable: false, meaning: 'The program does not type-check; nothing ran.' },
  UNCAUGHT: { status: null, retryable: false, meaning: 'The program threw.' },
  EXITED: { status: null, retryable: false, meaning: 'The program left early: a non-zero code, or zero before its result.' },
  TIMEOUT: { status: null, retryable: false, meaning: 'The program ran longer than timeoutMs.' },
  MEMORY_LIMIT: { status: null, retryable: false, meaning: 'The sandbox used more memory than allowed.' },
  OUTPUT_LIMIT: { status: null, retryable: false, meaning: 'The program printed more than 8 MB.' },
  RESULT_TOO_LARGE: { status: null, retryable: false, meaning: 'The result is larger than 10 MB.' },
  RESULT_NOT_SERIALIZABLE: { status: null, retryable: false, meaning: 'The result cannot be written as JSON.' },
  SANDBOX_CRASHED: { status: null, retryable: true, meaning: 'The runtime died by a signal or closed its channel.' },
  CANCELLED: { status: null, retryable: false, meaning: 'Somebody cancelled the execution.' },
  APPROVAL_EXPIRED: { status: null, retryable: false, meaning: 'Nobody decided in time.' },
  PAUSE_LIMIT: {
    status: null,
    retryable: true,
    meaning: 'As many executions wait for approvals as sandboxes are kept for; the call was not made.',
  },
  REPLAY_DIVERGED: { status: null, retryable: false, meaning: 'A replay did something else than the recorded run.' },
  SESSION_LOST: {
    status: null,
    retryable: true,
    meaning: 'The session ended since its last execution; nothing ran, and the next execution begins it anew.',
  },
  WORKER_LOST: {
    status: null,
    retryable: true,
    meaning: 'The process that ran the execution died; `effects` says whether it may be run again.',
  },
} as const satisfies Record<string, ErrorCodeEntry>;

export type ErrorCode = keyof typeof ERROR_CODES;

/** A code of ours, or `other`: tools answer with codes of their own, which may say anything, and another one each time. */
export const knownErrorCode = (code: string): ErrorCode | 'other' => (Object.hasOwn(ERROR_CODES, code) ? (code as ErrorCode) : 'other');
