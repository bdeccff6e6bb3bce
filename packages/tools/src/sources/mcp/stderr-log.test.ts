import { expect, test } from 'vitest';
import { createScrub } from './secrets.ts';
import { createStderrLog } from './stderr-log.ts';

function lastLineOf(text: string): string {
  const log = createStderrLog({ scrub: (line) => line, now: () => 0, write: () => undefined });
  log.push(Buffer.from(text));
  return log.lastLine();
}

test('the reason of a death is the sentence that says it, not what Node prints below', () => {
  const missing = `node:internal/modules/cjs/loader:1210
  throw err;
  ^

Error: Cannot find module '/srv/servers/notes.mjs'
    at Module._resolveFilename (node:internal/modules/cjs/loader:1207:15)
    at node:internal/main/run_main_module:28:49 {
  code: 'MODULE_NOT_FOUND',
  requireStack: []
}

Node.js v20.20.2
`;
  expect(lastLineOf(missing)).toBe("Error: Cannot find module '/srv/servers/notes.mjs'");
});

test('the last line is the reason where it is an ordinary one', () => {
  expect(lastLineOf('starting\ncannot log in\n')).toBe('cannot log in');
  expect(lastLineOf('Traceback:\n  File "a.py", line 1\nKeyError: 1\n')).toBe('KeyError: 1');
});

test('a secret on two lines is not told whole', () => {
  const lines: string[] = [];
  const scrub = createScrub(['canary-Zq8vXw2Lr5tN']);
  const log = createStderrLog({ scrub, now: () => 0, write: (line) => lines.push(line) });
  log.push(Buffer.from('logging in with canary-Zq8\nvXw2Lr5tN\ndone\n'));
  expect(lines).toEqual(['logging in with canary-Zq8', '(withheld: with the line before, it holds a credential)', 'done']);
});
