// run-first-program.ts URL KEY_FILE: runs one program in TypeScript and one in Python through POST /execute and shows their
// answers. Exits 1 when the first fails; a machine without Python only gets a warning.
import { readFileSync } from 'node:fs';
import { isRecord } from './ask-service.ts';

const TYPESCRIPT = `import { listServers } from '/workspace/servers/discovery.js';
const servers = await listServers();
let primes = 0;
for (let n = 2; n < 100_000; n++) {
  let prime = true;
  for (let d = 2; d * d <= n && prime; d++) prime = n % d !== 0;
  if (prime) primes++;
}
console.log(\`Hello from TypeScript on Bun \${process.versions.bun}: \${primes} primes below 100,000; \${servers.length} MCP servers in reach.\`);
return primes;`;
const PYTHON = `import platform
print(f"Hello from Python {platform.python_version()}: 2**64 = {2**64}.")`;

const [url = '', keyFile = ''] = process.argv.slice(2);
const key = readFileSync(keyFile, 'utf8').trim();
if (!(await run('typescript', TYPESCRIPT))) process.exitCode = 1;
else await run('python', PYTHON);

async function run(language: string, code: string): Promise<boolean> {
  const startedAt = performance.now();
  const response = await fetch(`${url}/execute`, {
    method: 'POST',
    headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' },
    body: JSON.stringify({ code, language }),
    signal: AbortSignal.timeout(60_000),
  });
  const answer: unknown = await response.json();
  const totalMs = performance.now() - startedAt;
  if (!isRecord(answer)) throw new Error(`POST /execute answered ${response.status} without an object`);
  if (answer.status === 'succeeded') {
    process.stdout.write(
      `✓ First program (${language}, ${totalMs.toFixed(1)} ms, ${String(answer.executionTime)} ms of it in the sandbox)\n    ${indent(String(answer.output))}\n`,
    );
    return true;
  }
  const error = isRecord(answer.error) ? `${String(answer.error.code)}: ${String(answer.error.message)}` : `HTTP ${response.status}`;
  process.stderr.write(`${language === 'python' ? '!' : '✗'} The first ${language} program did not succeed (${error})\n`);
  return false;
}

function indent(text: string): string {
  return text.trimEnd().replaceAll('\n', '\n    ');
}
