import { createLogger } from '@code-executor/platform';
import { describe, expect, test, vi } from 'vitest';
import { createDispatcher } from './dispatch-next.ts';

describe('what ends make room for', () => {
  test('of a large share several ends are made good by one look, and a single one within moments', async () => {
    const { dispatcher, asked, queued } = open(16);
    for (let ended = 0; ended < 3; ended += 1) dispatcher.ended('wsp');
    expect(asked()).toBe(0);
    dispatcher.ended('wsp');
    expect(asked()).toBe(1);
    dispatcher.ended('wsp');
    await vi.waitFor(() => expect(asked()).toBe(2));
    expect(queued()).toEqual(['exe_1', 'exe_2']);
    await dispatcher.close();
  });

  test('of a small share every end is made good at once', async () => {
    const { dispatcher, asked } = open(4);
    dispatcher.ended('wsp');
    expect(asked()).toBe(1);
    await dispatcher.close();
  });

  test('a look that is under way when another one ends is followed by one more', async () => {
    const { dispatcher, asked } = open(1);
    dispatcher.ended('wsp');
    dispatcher.ended('wsp');
    dispatcher.ended('wsp');
    await vi.waitFor(() => expect(asked()).toBe(2));
    await dispatcher.close();
    expect(asked()).toBe(2);
  });
});

function open(share: number) {
  let asked = 0;
  const queued: string[] = [];
  const dispatcher = createDispatcher({
    fleet: {
      async dispatchNext() {
        asked += 1;
        return [`exe_${asked}`];
      },
    },
    queue: { add: async (ids) => void queued.push(...ids) },
    share: () => share,
    log: createLogger({ level: 'silent', service: 'test' }),
  });
  return { dispatcher, asked: () => asked, queued: () => queued };
}
