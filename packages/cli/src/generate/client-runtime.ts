/** What every generated client begins with. It has to run in any runtime that has `fetch`, and to type-check strictly in any project. */
export const CLIENT_RUNTIME = `export interface ClientOptions {
  /** Where the service is, such as http://127.0.0.1:9091. */
  readonly url: string;
  /** An API key or an access token. */
  readonly key?: string | undefined;
  readonly fetch?: typeof fetch | undefined;
}

export interface CallOptions {
  readonly signal?: AbortSignal | undefined;
}

/** What a paused call waits for. A human decides at \`url\`. */
export interface Approval {
  readonly id: string;
  readonly tool: string;
  readonly arguments?: unknown;
  readonly expiresAt: string;
  readonly url: string;
}

/** What the service answered instead of a result; \`code\` is stable. */
export class ExecutorError extends Error {
  readonly code: string;
  readonly status: number;
  readonly details: unknown;
  readonly requestId: string | null;

  constructor(code: string, message: string, status: number, details?: unknown, requestId?: string | null) {
    super(message);
    this.name = 'ExecutorError';
    this.code = code;
    this.status = status;
    this.details = details;
    this.requestId = requestId ?? null;
  }
}

/** A human has to decide first. The call goes on by itself when it is approved; \`result()\` waits for that. */
export class ExecutorPausedError extends ExecutorError {
  readonly executionId: string;
  readonly approval: Approval;
  /** What the call answered in the end. @throws ExecutorError where it was denied, expired or failed. */
  readonly result: (options?: CallOptions) => Promise<unknown>;

  constructor(executionId: string, approval: Approval, result: (options?: CallOptions) => Promise<unknown>) {
    super('EXECUTION_PAUSED', \`\${approval.tool} waits for approval \${approval.id}: decide at \${approval.url}\`, 202, { executionId, approval });
    this.name = 'ExecutorPausedError';
    this.executionId = executionId;
    this.approval = approval;
    this.result = result;
  }
}

const POLL_MS = 1_000;

function toolCaller(options: ClientOptions) {
  const base = options.url.replace(/\\/+$/, '');
  const ask = options.fetch ?? fetch;

  // What services answer is typed by the declarations of each tool, so that it is \`any\` in between.
  async function send(method: string, path: string, body: unknown, call: CallOptions | undefined): Promise<{ status: number; body: any }> {
    const response = await ask(base + path, {
      method,
      headers: {
        accept: 'application/json',
        ...(options.key === undefined ? {} : { authorization: \`Bearer \${options.key}\` }),
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      ...(call?.signal === undefined ? {} : { signal: call.signal }),
    });
    const text = await response.text();
    let answer: any;
    try {
      answer = JSON.parse(text);
    } catch {
      throw new ExecutorError('BAD_ANSWER', \`HTTP \${response.status} that is no answer of a code executor\`, response.status);
    }
    if (!response.ok) {
      const error = answer?.error ?? {};
      throw new ExecutorError(String(error.code ?? 'BAD_ANSWER'), String(error.message ?? response.status), response.status, error.details, error.requestId);
    }
    return { status: response.status, body: answer };
  }

  async function resultOf(executionId: string, call?: CallOptions): Promise<unknown> {
    for (;;) {
      const { body } = await send('GET', \`/executions/\${executionId}\`, undefined, call);
      if (body.status === 'succeeded') return body.result;
      if (!['queued', 'running', 'paused'].includes(body.status)) {
        throw new ExecutorError(body.error?.code ?? 'CANCELLED', body.error?.message ?? \`\${executionId} was \${body.status}\`, 200, body.error?.details);
      }
      await new Promise((resolve) => setTimeout(resolve, POLL_MS));
      call?.signal?.throwIfAborted();
    }
  }

  return (server: string, name: string) =>
    async (args?: unknown, call?: CallOptions): Promise<any> => {
      const path = \`/tools/invoke/\${encodeURIComponent(server)}/\${encodeURIComponent(name)}\`;
      const { status, body } = await send('POST', path, { args: args ?? {} }, call);
      if (status !== 202) return body.result;
      throw new ExecutorPausedError(body.executionId, body.approval, (again) => resultOf(body.executionId, again));
    };
}
`;
