import type { RawBuilder } from 'kysely';

/** The tool side's journal of calls, which is kept for as long as the executions that made them. */
export interface CallJournal {
  /** Common table expressions that delete the calls of the executions whose ids `ids` selects: they go with those, in one statement. */
  forgetCallsOf(ids: RawBuilder<unknown>): RawBuilder<unknown>;
  /** Deletes at most `limit` of the calls that no execution made and that are older; answers how many it were. */
  purgeLoose(before: Date, limit: number): Promise<number>;
  /** Gives the space of deleted rows back where nothing else does. */
  reclaimSpace(): Promise<void>;
}
