import { Redis } from 'ioredis';
import { Client } from 'pg';
import { expect, test } from 'vitest';
import { dockerAnswers, startPostgres, startRedis } from './containers.ts';

const isAnswering = await dockerAnswers();
const where = isAnswering ? '' : ' (skipped: no Docker engine answers, or its images are missing)';

test.skipIf(!isAnswering)(`PostgreSQL and Redis keep their address and what was written through a kill${where}`, async () => {
  const [postgres, redis] = await Promise.all([startPostgres(), startRedis({ args: ['--appendfsync', 'always'] })]);
  try {
    const first = new Client({ connectionString: postgres.url });
    first.on('error', () => undefined);
    await first.connect();
    await first.query("create table note as select 'kept' as text");
    await withRedis(redis.url, (client) => client.set('note', 'kept'));

    await Promise.all([postgres.kill(), redis.kill()]);
    await Promise.all([postgres.restart(), redis.restart()]);

    const second = new Client({ connectionString: postgres.url });
    await second.connect();
    expect((await second.query('select text from note')).rows).toEqual([{ text: 'kept' }]);
    await second.end();
    expect(await withRedis(redis.url, (client) => client.get('note'))).toBe('kept');
    expect(await redis.exec(['redis-server', '--version'])).toContain('Redis server');
  } finally {
    await Promise.all([postgres.stop(), redis.stop()]);
  }
});

async function withRedis<Result>(url: string, act: (client: Redis) => Promise<Result>): Promise<Result> {
  const client = new Redis(url);
  try {
    return await act(client);
  } finally {
    client.disconnect();
  }
}
