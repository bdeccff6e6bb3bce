import { openDatabase } from '@code-executor/platform';
import { executionMigrations } from '../store/migrations.ts';
import { createTestExecutions, testLog } from './open-test-executions.ts';

/**
 * A process for tests to kill: with one worker it accepts a program that waits until this process is dead, after a
 * tool call and some output, and two more that wait behind it; then it says so in one line of JSON on stdout.
 */
const [directory = ''] = process.argv.slice(2);
const db = await openDatabase({ directory, log: testLog });
await db.migrate('executions', executionMigrations);
const { executions } = createTestExecutions(db, { concurrency: 1 });
await executions.start();
const principal = { id: 'key_test', workspaceId: 'wsp_default', role: 'agent' } as const;
const ids: string[] = [];
for (const code of ['echo "call write" >&3; read reply; echo printed; read end', 'echo second', 'echo third']) {
  ids.push((await executions.submit(principal, { code, language: 'typescript' }, { requestId: 'req_test' })).executionId);
}
for await (const event of await executions.events(principal, ids[0] ?? '', 0, new AbortController().signal)) {
  if (event.type === 'output') break;
}
process.stdout.write(`${JSON.stringify(ids)}\n`);
