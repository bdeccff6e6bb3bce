export type TypedColumns = readonly (readonly [name: string, type: string])[];

/** SQL for n rows of parameters, built once for each n. `build` gets the list of rows for VALUES. */
export function valuesStatements(columns: TypedColumns, build: (values: string) => string): (rows: number) => string {
  const built = new Map<number, string>();
  return (rows) => {
    let statement = built.get(rows);
    if (statement === undefined) {
      statement = build(Array.from({ length: rows }, (_, row) => `(${casts(columns, row * columns.length)})`).join(', '));
      built.set(rows, statement);
    }
    return statement;
  };
}

/** `$4::text, $5::int4 …` for one row that starts after `offset` parameters. */
export const casts = (columns: TypedColumns, offset: number): string =>
  columns.map(([, type], index) => `$${offset + index + 1}::${type}`).join(', ');

export const columnNames = (columns: TypedColumns): string => columns.map(([name]) => name).join(', ');
