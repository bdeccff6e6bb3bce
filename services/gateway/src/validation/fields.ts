import { z } from 'zod';

/** A whole number in a query string. */
export const queryInt = (minimum: number, maximum: number, fallback: number) =>
  z
    .preprocess(
      (value) => (typeof value === 'string' && /^-?\d{1,15}$/.test(value) ? Number(value) : value),
      z.int().min(minimum).max(maximum),
    )
    .default(fallback)
    .meta({ type: 'integer', minimum, maximum });

/** An opaque place in a list, as an earlier page answered it. */
export const cursor = z.string().min(1).max(512).describe('`nextCursor` of the page before');

/** A list as every route answers it. */
export const listOf = <Item extends z.ZodType>(item: Item) =>
  z.object({ items: z.array(item), total: z.int(), nextCursor: z.string().nullable() });

/** The body of a route that takes none: absent, or `{}` from clients that always send one. */
export const noBody = z.strictObject({}).optional();
