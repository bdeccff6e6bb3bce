import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { createQueueConsumer, createQueueProducer } from '@code-executor/executions';
import { createLogger } from '@code-executor/platform';
import { Queue } from 'bullmq';
import { Redis } from 'ioredis';
import { GenericContainer, type StartedTestContainer, Wait } from 'testcontainers';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { dockerAnswers } from '../support/containers.ts';

const REDIS_IMAGE = 'redis:8-bookworm';
const USERS = join(import.meta.dirname, '../../deploy/redis/users.acl');
const CONFIGURATION = join(import.meta.dirname, '../../deploy/redis/redis.conf');
/** In a script Redis says it in words. */
const REFUSED = /NOPERM|The user executing the script can't/;
const log = createLogger({ level: 'silent', service: 'test' });
const reachable = await dockerAnswers();

describe.skipIf(!reachable)(`the users of the fleet's Redis${reachable ? '' : ' (skipped: no Docker engine answers)'}`, () => {
  let container: StartedTestContainer;
  const opened: Redis[] = [];

  beforeAll(async () => {
    const users = readFileSync(USERS, 'utf8').replace(/@(\w+)@/g, (_, role: string) =>
      createHash('sha256').update(`of ${role}`).digest('hex'),
    );
    container = await new GenericContainer(REDIS_IMAGE)
      .withCopyContentToContainer([
        { content: users, target: '/run/secrets/redis-users', mode: 0o444 },
        { content: readFileSync(CONFIGURATION, 'utf8'), target: '/usr/local/etc/redis/redis.conf', mode: 0o444 },
      ])
      .withCommand(['redis-server', '--include', '/usr/local/etc/redis/redis.conf'])
      .withExposedPorts(6379)
      .withWaitStrategy(Wait.forLogMessage('Ready to accept connections'))
      .withLabels({ 'code-executor.test': 'redis-users' })
      .start();
  });
  afterAll(async () => {
    for (const redis of opened) redis.disconnect();
    await container?.stop();
  });

  const urlOf = (role: string) =>
    `redis://${role}:${encodeURIComponent(`of ${role}`)}@${container.getHost()}:${container.getMappedPort(6379)}`;
  function as(role: string): Redis {
    const redis = new Redis(urlOf(role), { enableReadyCheck: false, maxRetriesPerRequest: 1 });
    opened.push(redis);
    return redis;
  }

  test('what gateway and proxy put into the queue, the worker takes', async () => {
    const taken: string[] = [];
    const consumer = createQueueConsumer({ redis: urlOf('worker'), concurrency: 2, log, handler: async (id) => void taken.push(id) });
    consumer.start();
    const ids: string[] = [];
    try {
      for (const role of ['gateway', 'proxy']) {
        const producer = createQueueProducer({ redis: urlOf(role), log, name: role === 'proxy' ? 'mcp-proxy-queue' : 'gateway-queue' });
        try {
          await vi.waitFor(() => expect(producer.reason()).toBeNull(), { timeout: 5_000, interval: 20 });
          const id = `exe_of_${role}`;
          ids.push(id);
          await producer.add([id]);
          await vi.waitFor(() => expect(taken).toContain(id), { timeout: 10_000, interval: 20 });
          await producer.sweep();
          await producer.remove('exe_that_is_not_there');
          expect(await producer.holds('exe_that_is_not_there')).toBe(false);
        } finally {
          await producer.close();
        }
      }
      expect(taken).toEqual(ids);
    } finally {
      await consumer.close();
    }
  });

  test("a worker cannot enqueue with BullMQ's own scripts", async () => {
    const queue = new Queue('executions', {
      connection: as('worker'),
      prefix: 'executor:queue',
      skipVersionCheck: true,
      skipMetasUpdate: true,
    });
    queue.on('error', () => undefined);
    await expect(queue.add('run', null, { jobId: 'exe_forged' })).rejects.toThrow(REFUSED);
    await expect(queue.add('run', null, { jobId: 'exe_forged', delay: 10 })).rejects.toThrow(REFUSED);
    await expect(queue.add('run', null, { jobId: 'exe_forged', priority: 1 })).rejects.toThrow(REFUSED);
    await expect(queue.pause()).rejects.toThrow(REFUSED);
    await expect(queue.obliterate({ force: true })).rejects.toThrow(REFUSED);
  });

  const q = 'executor:queue:executions';
  test.each([
    ['put an id into the queue', ['LPUSH', `${q}:wait`, 'exe_x']],
    ['put an id into the queue from its end', ['RPUSH', `${q}:wait`, 'exe_x']],
    ['put an id into the queue by a script', ['EVAL', "return redis.call('LPUSH', KEYS[1], 'exe_x')", '1', `${q}:wait`]],
    ['put an id into what is delayed', ['ZADD', `${q}:delayed`, '0', 'exe_x']],
    ['put an id into what is prioritized', ['ZADD', `${q}:prioritized`, '0', 'exe_x']],
    ['number a new entry', ['INCR', `${q}:id`]],
    ['empty the queue', ['DEL', `${q}:wait`]],
    ['pause the queue', ['HSET', `${q}:meta`, 'paused', '1']],
    ['publish an end', ['PUBLISH', 'executor:ended', '{}']],
    ['publish a cancellation', ['PUBLISH', 'executor:cancel', 'exe_x']],
    ['tell another worker of an execution', ['PUBLISH', 'executor:sessions', 'look other']],
    ['hand an execution over', ['PUBLISH', 'executor:take:other', 'exe_x']],
    ['publish by a script', ['EVAL', "return redis.call('PUBLISH', 'executor:ended', '{}')", '0']],
    ['subscribe to ends', ['SUBSCRIBE', 'executor:ended']],
    ['subscribe to everything', ['PSUBSCRIBE', '*']],
    ['read live events', ['XRANGE', 'executor:live:exe_x', '-', '+']],
    ['read live events by a script', ['EVAL', "return redis.call('XRANGE', KEYS[1], '-', '+')", '1', 'executor:live:exe_x']],
    ['write live events', ['XADD', 'executor:live:exe_x', '*', 'a', 'b']],
    ["read other workers' reports", ['GET', 'executor:worker:other']],
    ['report as another worker', ['SET', 'executor:worker:other', '{}']],
    ['read keys of anybody', ['GET', 'anything']],
    ['list keys', ['SCAN', '0']],
    ['configure', ['CONFIG', 'GET', '*']],
    ['list users', ['ACL', 'LIST']],
    ['watch everybody', ['MONITOR']],
    ['see who is connected', ['CLIENT', 'LIST']],
    ['disconnect others', ['CLIENT', 'KILL', 'TYPE', 'normal']],
    ['load a library', ['FUNCTION', 'LIST']],
    ['kill scripts', ['SCRIPT', 'FLUSH']],
    ['empty the database', ['FLUSHALL']],
    ['replicate elsewhere', ['REPLICAOF', 'example', '1']],
    ['stop the server', ['SHUTDOWN']],
  ])('a worker cannot %s', async (_title, [command = '', ...args]) => {
    await expect(as('worker').call(command, ...args)).rejects.toThrow(REFUSED);
  });

  test.each([
    ['gateway', ['XADD', 'executor:live:exe_x', '*', 'a', 'b']],
    ['gateway', ['SET', 'executor:worker:any', '{}']],
    ['gateway', ['PUBLISH', 'executor:catalog', '1']],
    ['gateway', ['KEYS', '*']],
    ['gateway', ['FLUSHALL']],
    ['gateway', ['CONFIG', 'GET', '*']],
    ['proxy', ['SET', 'anything', '1']],
    ['proxy', ['PUBLISH', 'executor:keys', '']],
    ['proxy', ['FLUSHALL']],
    ['proxy', ['CONFIG', 'SET', 'appendonly', 'no']],
    ['proxy', ['ACL', 'SETUSER', 'worker', '+@all']],
  ])('%s cannot %j', async (role, [command = '', ...args]) => {
    await expect(as(role).call(command, ...args)).rejects.toThrow(REFUSED);
  });

  test('without a user and a password nothing is answered, and the user of the health check may only PING', async () => {
    const address = `${container.getHost()}:${container.getMappedPort(6379)}`;
    const anybody = new Redis(`redis://${address}`, { enableReadyCheck: false, maxRetriesPerRequest: 1 });
    const health = new Redis(`redis://health:none@${address}`, { enableReadyCheck: false, maxRetriesPerRequest: 1 });
    opened.push(anybody, health);
    anybody.on('error', () => undefined);
    await expect(anybody.ping()).rejects.toThrow('NOAUTH');
    expect(await health.ping()).toBe('PONG');
    await expect(health.get('anything')).rejects.toThrow(REFUSED);
    await expect(health.info()).rejects.toThrow(REFUSED);
  });
});
