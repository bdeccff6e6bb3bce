/** Seals what must not be read in the database. `place` says which row a text belongs to. */
export interface Sealing {
  seal(text: string, place: string): string;
  open(sealed: string, place: string): string;
}

/** Of the row of an execution. */
export const replayPlace = (executionId: string): string => `executions/${executionId}/replay`;
