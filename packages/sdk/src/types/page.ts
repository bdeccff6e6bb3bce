/** One page of a list. `nextCursor` goes into the next request's `cursor`; null: this was the last. */
export interface Page<Item> {
  readonly items: readonly Item[];
  readonly total: number;
  readonly nextCursor: string | null;
}
