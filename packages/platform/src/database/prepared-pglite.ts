import { type PGlite, parse, protocol, type QueryOptions, type Results } from '@electric-sql/pglite';
import { bindMessage } from './bind-message.ts';
import { createStatementNames } from './statement-names.ts';

interface Prepared {
  readonly name: string;
  readonly parameterTypes: readonly number[];
  /** What describes the rows, as it came when the statement was prepared; none where it answers no rows. */
  readonly description: Messages;
}

type Messages = Parameters<typeof parse.parseResults>[0];

/**
 * Has PGlite parse a statement once, and then do it by one message instead of six: 0.09 ms instead of 0.27 ms for a row of ours.
 * Statements of a transaction go the usual way.
 */
export function preparing(pglite: PGlite): PGlite {
  const names = createStatementNames();
  const known = new Map<string, Prepared>();
  const usual = pglite.query.bind(pglite);

  async function query<Row>(text: string, values: unknown[] = [], options?: QueryOptions): Promise<Results<Row>> {
    const name = values.length === 0 ? undefined : names.of(text);
    if (name === undefined) return await usual<Row>(text, values, options);
    await pglite.waitReady;
    // As PGlite itself does: not amid somebody's transaction, and not amid somebody's statement.
    return await pglite._runExclusiveTransaction(() => pglite._runExclusiveQuery(() => run<Row>(text, name, values, options)));
  }

  async function run<Row>(text: string, name: string, values: unknown[], options: QueryOptions | undefined): Promise<Results<Row>> {
    const statement = known.get(text) ?? (await prepare(text, name));
    const message = bindMessage(
      name,
      values.map((value, index) => parameter(value, statement.parameterTypes[index])),
    );
    const { messages } = await pglite.execProtocol(message);
    const [results] = parse.parseResults([...statement.description, ...messages], pglite.parsers, options);
    return results as Results<Row>;
  }

  async function prepare(text: string, name: string): Promise<Prepared> {
    const { serialize } = protocol;
    const message = Buffer.concat([serialize.parse({ name, text }), serialize.describe({ type: 'S', name }), serialize.sync()]);
    const { messages } = await pglite.execProtocol(message);
    const description = messages.filter((part) => part.name === 'rowDescription');
    const statement = { name, parameterTypes: parse.parseDescribeStatementResults(messages), description };
    known.set(text, statement);
    return statement;
  }

  function parameter(value: unknown, type: number | undefined): string | null {
    if (value === null || value === undefined) return null;
    const serializer = type === undefined ? undefined : pglite.serializers[type];
    return serializer === undefined ? String(value) : serializer(value);
  }

  return Object.assign(pglite, { query });
}
