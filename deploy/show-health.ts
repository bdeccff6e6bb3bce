// show-health.ts URL: prints how the service is, for people. Exits 1 where it does not answer or is not ready.
import { askService, isRecord, reasonOf } from './ask-service.ts';

const [url = ''] = process.argv.slice(2);
const [health, ready] = await Promise.all([askService(`${url}/health`, 5_000), askService(`${url}/health/ready`, 5_000)]);
const print = (line: string) => process.stdout.write(`${line}\n`);

if (health === null) {
  print('It does not answer.');
  process.exitCode = 1;
} else {
  printHealth(health.body);
  if (ready?.status === 200) {
    print('ready');
  } else {
    print(`not ready: ${reasonOf(ready)}`);
    process.exitCode = 1;
  }
}

function printHealth(body: Record<string, unknown>): void {
  for (const [name, value] of Object.entries(body)) {
    if (name === 'servers' && isRecord(value)) printServers(value);
    else if (name !== 'toolsByServer') print(`${name.padEnd(12)} ${typeof value === 'object' ? JSON.stringify(value) : String(value)}`);
  }
}

function printServers(servers: Record<string, unknown>): void {
  for (const [slug, server] of Object.entries(servers)) {
    const { state, tools, reason } = isRecord(server) ? server : { state: server, tools: '', reason: null };
    print(`server       ${slug}: ${String(state)}, ${String(tools)} tools${typeof reason === 'string' ? ` (${reason})` : ''}`);
  }
}
