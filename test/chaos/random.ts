/** Numbers that follow from a seed alone, so that a run's faults and programs can be had again. */
export interface Random {
  /** From 0, below 1. */
  next(): number;
  /** Whole, both ends included. */
  between(first: number, last: number): number;
  pick<Item>(items: readonly [Item, ...Item[]]): Item;
  chance(probability: number): boolean;
  shuffled<Item>(items: readonly Item[]): Item[];
  /** Another sequence, which what is drawn from this one later does not change. */
  fork(): Random;
}

/** mulberry32. */
export function createRandom(seed: number): Random {
  let state = seed >>> 0;
  const random: Random = {
    next() {
      state = (state + 0x6d2b79f5) >>> 0;
      let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
      mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
      return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
    },
    between: (first, last) => first + Math.floor(random.next() * (last - first + 1)),
    pick: (items) => items[random.between(0, items.length - 1)] ?? items[0],
    chance: (probability) => random.next() < probability,
    shuffled: (items) =>
      items
        .map((item) => ({ item, place: random.next() }))
        .toSorted((one, other) => one.place - other.place)
        .map(({ item }) => item),
    fork: () => createRandom(random.between(0, 2 ** 32 - 1)),
  };
  return random;
}
