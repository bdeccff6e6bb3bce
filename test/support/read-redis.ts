import type { Redis } from 'ioredis';

/** Every key of a Redis with all that it holds, of whichever type. */
export async function readRedis(redis: Redis): Promise<[key: string, content: string][]> {
  const keys = new Set<string>();
  let cursor = '0';
  do {
    const [next, page] = await redis.scan(cursor, 'COUNT', 1_000);
    for (const key of page) keys.add(key);
    cursor = next;
  } while (cursor !== '0');
  return await Promise.all(
    [...keys].map(async (key): Promise<[string, string]> => [key, JSON.stringify([key, await contentOf(redis, key)])]),
  );
}

async function contentOf(redis: Redis, key: string): Promise<unknown> {
  switch (await redis.type(key)) {
    case 'string':
      return await redis.get(key);
    case 'hash':
      return await redis.hgetall(key);
    case 'list':
      return await redis.lrange(key, 0, -1);
    case 'set':
      return await redis.smembers(key);
    case 'zset':
      return await redis.zrangebyscore(key, '-inf', '+inf', 'WITHSCORES');
    case 'stream':
      return await redis.xrange(key, '-', '+');
    default:
      return null; // It has expired meanwhile.
  }
}
