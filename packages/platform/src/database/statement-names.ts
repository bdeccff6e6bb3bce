/** Texts that vary without bound, such as lists, must not fill the connections' memory. */
const PREPARED_MAXIMUM = 200;

/** The columns of its answer are those that the table has at the time. */
const ANSWERS_WHATEVER_THERE_IS = /^\s*select\s+(?:"?\w+"?\.)?\*|\breturning\s+(?:"?\w+"?\.)?\*/i;

/** Names for statements that are worth preparing, the same for the same text. */
export interface StatementNames {
  /**
   * undefined: it is to be left as it is. One that answers `*` is, for PostgreSQL refuses a prepared one whose columns a migration
   * has changed.
   */
  of(text: string): string | undefined;
}

export function createStatementNames(): StatementNames {
  const names = new Map<string, string>();
  return {
    of(text) {
      const known = names.get(text);
      if (known !== undefined || names.size >= PREPARED_MAXIMUM || ANSWERS_WHATEVER_THERE_IS.test(text)) return known;
      const name = `executor_${names.size}`;
      names.set(text, name);
      return name;
    },
  };
}
