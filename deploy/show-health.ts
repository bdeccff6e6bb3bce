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
  const { servers, toolsByServer, ...rest } = body;
  for (const [name, value] of Object.entries(rest)) {
    print(`${name.padEnd(12)} ${typeof value === 'object' ? JSON.stringify(value) : String(value)}`);
  }
  const tools = isRecord(toolsByServer) ? toolsByServer : {};
  for (const [slug, state] of Object.entries(isRecord(servers) ? servers : {})) {
    print(`server       ${slug}: ${String(state)}, ${String(tools[slug] ?? 0)} tools`);
  }
}
