/** All that a call of one field needs: the document of the request is put together from it. */
export interface GraphqlBinding {
  readonly operation: 'query' | 'mutation';
  readonly field: string;
  /** Argument → its type as the schema writes it: `[ID!]!`. */
  readonly variables: Readonly<Record<string, string>>;
  /** What is asked for where the call does not say, without braces; null: the field is a plain value. */
  readonly selection: string | null;
  /** The argument that takes a selection of the caller's; null: the field is a plain value. */
  readonly selectArgument: string | null;
  /** The named type behind lists, for messages. */
  readonly returnType: string;
  /** Whether files may be among the arguments. */
  readonly hasFiles: boolean;
}
