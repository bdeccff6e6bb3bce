import type { IncomingMessage, ServerResponse } from 'node:http';
import { isAppError } from '@code-executor/platform';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Credential } from '../connections/port.ts';
import { createOutboundHttp } from '../outbound/outbound-http.ts';
import { startUpstream, type Upstream } from '../testing/upstream.ts';
import type { InvokeContext, ParsedSource, SourceKind } from './port.ts';
import { toolLine } from './reading/tool-line.ts';

/** What a kind is tried with. */
export interface SourceKindCase {
  readonly kind: SourceKind;
  /** A small document. */
  readonly document: string;
  readonly operations: number;
  /** A call of a tool that only reads. */
  readonly reading: { readonly tool: string; readonly args: Readonly<Record<string, unknown>>; readonly value: unknown };
  /** A tool that does not declare itself read-only. */
  readonly changing: string;
  /** Documents that are not quite of the kind, and what is said of each: where it is wrong, and why. */
  readonly broken: Readonly<Record<string, { readonly text: string; readonly says: RegExp }>>;
  /** Documents of other kinds, and what is none at all. */
  readonly foreign: readonly string[];
  /** Answers the calls above, as the API would. */
  answer(request: IncomingMessage, response: ServerResponse, body: string): void;
  /** Whether a request changes nothing. */
  isHarmless(request: { readonly method: string; readonly body: string }): boolean;
}

const SECRET = 'secret-0123456789';
const CREDENTIAL: Credential = {
  connectionId: 'con_test',
  headers: { authorization: `Bearer ${SECRET}` },
  query: {},
  cookies: {},
  secrets: [SECRET],
};

/** What every kind of source has to do, whoever wrote it. Each kind's own test says what only it does. */
export function sourceKindSuite({
  kind,
  document,
  operations,
  reading,
  changing,
  broken,
  foreign,
  answer,
  isHarmless,
}: SourceKindCase): void {
  describe(`the source kind ${kind.kind}`, () => {
    let upstream: Upstream;
    let mode: 'answers' | 'refuses' | 'hangs' | 'hangs up' | 'redirects' = 'answers';
    const guard = createOutboundHttp({ allow: [], strict: false });
    const source = { text: document, url: null };
    beforeAll(async () => {
      upstream = await startUpstream((request, response) => {
        if (mode === 'hangs') return;
        if (mode === 'hangs up') request.socket.destroy();
        else if (mode === 'refuses') response.writeHead(503, { 'content-type': 'application/json' }).end('{"message": "come back later"}');
        else if (mode === 'redirects') response.writeHead(302, { location: 'http://127.0.0.1:9/elsewhere' }).end();
        else answer(request, response, upstream.requests.at(-1)?.body ?? '');
      });
    });
    afterAll(async () => {
      await upstream[Symbol.asyncDispose]();
      await guard.close();
    });

    const parse = (text: string, url: string | null = null): Promise<ParsedSource<unknown>> =>
      kind.parse({ text, url }, { fetchText: () => Promise.reject(new Error('it refers to nothing')), onProgress: () => undefined });
    const contextOf = (more: Partial<InvokeContext> = {}): InvokeContext => ({
      baseUrl: upstream.origin,
      credential: null,
      http: guard.withOrigin(upstream.origin, 'admin'),
      idempotencyKey: 'key-1',
      timeoutMs: 5_000,
      signal: AbortSignal.timeout(20_000),
      ...more,
    });
    const invoke = async (more: Partial<InvokeContext> = {}) => {
      const tool = (await parse(document)).tools.find(({ name }) => name === reading.tool);
      expect(tool, reading.tool).toBeDefined();
      // As it comes back from where it was stored.
      return await kind.invoke(JSON.parse(JSON.stringify(tool?.binding)), reading.args, contextOf(more));
    };
    const during = async <Result>(what: typeof mode, act: () => Promise<Result>): Promise<Result> => {
      mode = what;
      try {
        return await act();
      } finally {
        mode = 'answers';
      }
    };

    it('knows its own documents, and says why in a few words', () => {
      expect(kind.detect(source)).toMatch(/^.{3,60}$/);
    });

    it.each([...foreign, '', ' ', '{}', '[]', 'null', '<!doctype html><html></html>', 'hello', '\u0000', '{"a":'])(
      'does not take %j for one of its own',
      (text) => {
        expect(kind.detect({ text, url: null })).toBeNull();
      },
    );

    it('judges any text without throwing', () => {
      fc.assert(
        fc.property(
          fc.oneof(
            fc.string(),
            fc.json(),
            fc.nat(document.length).map((end) => document.slice(0, end)),
          ),
          (text) => {
            const why = kind.detect({ text, url: null });
            return why === null || why.length < 100;
          },
        ),
      );
    });

    it('gives a tool for each operation, under names that are distinct, with schemas and bindings that can be stored', async () => {
      const parsed = await parse(document);
      expect(parsed.operations).toBe(operations);
      expect(parsed.tools).toHaveLength(operations);
      expect(new Set(parsed.tools.map(({ name }) => name)).size).toBe(operations);
      for (const tool of parsed.tools) {
        expect(tool.name).toMatch(/^[^\s.][^\s]*$/);
        expect(tool.inputSchema).toMatchObject({ type: 'object' });
        expect(JSON.parse(JSON.stringify(tool.binding))).toEqual(tool.binding);
        expect(toolLine('source', tool)).toHaveProperty('line');
      }
    });

    it('declares read-only what reads, and nothing else', async () => {
      const hints = new Map((await parse(document)).tools.map(({ name, annotations }) => [name, annotations.readOnlyHint === true]));
      expect([hints.get(reading.tool), hints.get(changing)]).toEqual([true, false]);
    });

    it('gives the same tools for the same document', async () => {
      expect(await parse(document)).toEqual(await parse(document));
    });

    it('tells how far it has come', async () => {
      const shares: number[] = [];
      await kind.parse(source, { fetchText: async () => '', onProgress: (share) => shares.push(share) });
      expect(shares.every((share) => share >= 0 && share <= 1)).toBe(true);
      expect(shares).toEqual([...shares].sort((a, b) => a - b));
    });

    it.each(Object.entries(broken))('says where %s is wrong, and why', async (_, { text, says }) => {
      await expect(parse(text)).rejects.toMatchObject({ code: 'INTEGRATION_INVALID', message: expect.stringMatching(says) });
    });

    it('reads any part of a document, or refuses it as invalid', async () => {
      await fc.assert(
        fc.asyncProperty(fc.nat(document.length), fc.string({ maxLength: 3 }), async (end, more) => {
          try {
            return (await parse(document.slice(0, end) + more + document.slice(end + more.length))).tools.length > 0;
          } catch (error) {
            return isAppError(error, 'INTEGRATION_INVALID') && error.message.length < 2_000;
          }
        }),
        { numRuns: 60 },
      );
    });

    it('calls a tool with its credential and gives the value of the answer', async () => {
      expect(await invoke({ credential: CREDENTIAL })).toMatchObject({ ok: true, value: reading.value, meta: { status: 200 } });
      expect(upstream.requests.at(-1)?.headers.authorization).toBe(`Bearer ${SECRET}`);
    });

    it('makes a call without a credential where there is none', async () => {
      expect(await invoke()).toMatchObject({ ok: true });
      expect(upstream.requests.at(-1)?.headers.authorization).toBeUndefined();
    });

    it('passes the trace on', async () => {
      const traceparent = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01';
      await invoke({ traceparent });
      expect(upstream.requests.at(-1)?.headers.traceparent).toBe(traceparent);
    });

    it('tells an error of the upstream from a fault of the way', async () => {
      expect(await during('refuses', () => invoke())).toMatchObject({
        ok: false,
        message: expect.stringContaining('come back later'),
        meta: { status: 503 },
      });
      await expect(during('hangs up', () => invoke())).rejects.toMatchObject({ code: 'UPSTREAM_LOST' });
      await expect(invoke({ baseUrl: 'http://127.0.0.1:9', http: guard.withOrigin('http://127.0.0.1:9', 'admin') })).rejects.toMatchObject({
        code: 'UPSTREAM_UNAVAILABLE',
      });
    });

    it('ends at its time limit, and when it is aborted', async () => {
      await expect(during('hangs', () => invoke({ timeoutMs: 300 }))).rejects.toMatchObject({ code: 'TOOL_TIMEOUT' });
      const reason = new Error('enough');
      const aborting = new AbortController();
      setTimeout(() => aborting.abort(reason), 100);
      await expect(during('hangs', () => invoke({ signal: aborting.signal }))).rejects.toBe(reason);
    });

    it('reaches nothing but through the guard', async () => {
      await expect(invoke({ http: guard })).rejects.toMatchObject({ code: 'OUTBOUND_REFUSED' });
    });

    it('looks whether the upstream is there without changing anything', async () => {
      const before = upstream.requests.length;
      const { idempotencyKey: _, ...context } = contextOf();
      expect(await kind.probe(context)).toBeNull();
      const sent = upstream.requests.slice(before);
      expect(sent.length).toBeGreaterThan(0);
      expect(sent.every(isHarmless)).toBe(true);
    });
  });
}
