import { chmod, mkdir, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:net';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { type Deployment, newDeployment } from './deployment.ts';

const isRoot = process.getuid?.() === 0;
let deployment: Deployment;

beforeEach(async () => {
  deployment = await newDeployment();
});

afterEach(async () => {
  await deployment.remove();
}, 60_000);

test('a port that another program holds: up says who and what to do', async () => {
  const server = await listen(deployment.port);
  try {
    const up = await deployment.run(['up', '--embedded']);
    expect(up.text).toContain(`Port ${deployment.port} is in use by process ${process.pid}`);
    expect(up.exitCode).toBe(6);
  } finally {
    server.close();
  }
}, 60_000);

test.skipIf(isRoot)(
  'a data directory that cannot be written: up names the command that mends it',
  async () => {
    await mkdir(deployment.dataDir, { mode: 0o500 });
    const up = await deployment.run(['up', '--embedded']);
    expect(up.text).toMatch(/The data directory .* cannot be written by .*chown -R .*or name another one in EXECUTOR_DATA_DIR/);
    expect(up.exitCode).toBe(5);
  },
  60_000,
);

test.skipIf(isRoot)(
  'a data directory that cannot be made: up says where and what to do',
  async () => {
    const closed = join(deployment.dataDir, '..', 'closed');
    await mkdir(closed, { mode: 0o500 });
    const up = await deployment.run(['up', '--embedded'], { EXECUTOR_DATA_DIR: join(closed, 'data') });
    await chmod(closed, 0o700);
    expect(up.text).toContain('closed/data cannot be made (Permission denied)');
    expect(up.exitCode).toBe(5);
  },
  60_000,
);

test.skipIf(isRoot)(
  'a kernel that gives no user namespaces: up names the setting that does',
  async () => {
    // In a user namespace of one's own the limit can be set to none for everything below it.
    const up = await deployment.shell(
      'unshare --user --map-current-user --keep-caps bash -c \'echo 0 >/proc/sys/user/max_user_namespaces && exec "$DEPLOY" up --embedded\'',
    );
    expect(up.text).toContain('No sandbox can be made.');
    expect(up.text).toContain('sysctl -w user.max_user_namespaces=15000');
    expect(up.exitCode).toBe(4);
  },
  60_000,
);

test('a setting that does not exist: up shows the sentence of the service and stops waiting at once', async () => {
  const up = await deployment.run(['up', '--embedded'], { EXECUTOR_POOL_PYHTON: '3' });
  expect(up.text).toContain('did you mean EXECUTOR_POOL_PYTHON?');
  expect(up.exitCode).toBe(7);
  expect((await deployment.run(['status'])).exitCode).toBe(3);
}, 60_000);

test('a port that is no number: up says what a port is', async () => {
  const up = await deployment.run(['up', '--embedded'], { EXECUTOR_PORT: 'http' });
  expect(up.text).toContain('EXECUTOR_PORT=http is no port');
  expect(up.exitCode).toBe(6);
}, 60_000);

test('the Docker form where no engine answers: up says what to do, or to take the embedded form', async () => {
  const up = await deployment.run(['up', '--docker'], { DOCKER_HOST: `unix://${deployment.dataDir}/docker.sock` });
  expect(up.text).toMatch(/Docker.*(install it|start it).*'\.\/deploy\.sh up --embedded'/);
  expect(up.exitCode).toBe(4);
}, 60_000);

test('an unknown command points at help', async () => {
  const end = await deployment.run(['upp']);
  expect(end.text).toContain("There is no command 'upp'");
  expect(end.exitCode).toBe(2);
});

test('doctor finds nothing to mend where everything is there', async () => {
  const end = await deployment.run(['doctor']);
  expect(end.text).toContain('can make user namespaces');
  expect(end.text).toContain('Nothing to mend.');
  expect(end.exitCode).toBe(0);
}, 60_000);

test('doctor says what is wrong with a servers file, without showing it', async () => {
  await mkdir(deployment.dataDir, { mode: 0o700 });
  await writeFile(join(deployment.dataDir, 'mcp-servers.json'), '{"mcpServers": {"a": {"env": {"TOKEN": "sesame"');
  const end = await deployment.run(['doctor']);
  expect(end.text).toMatch(/✗ the MCP servers file .*\n {4}mend: .*is not JSON/);
  expect(end.text).not.toContain('sesame');
  expect(end.exitCode).toBe(1);
}, 60_000);

test.skipIf(isRoot)(
  'doctor names the command for a path that a server cannot write',
  async () => {
    await mkdir(deployment.dataDir, { mode: 0o700 });
    const notes = join(deployment.dataDir, '../notes');
    await mkdir(notes, { mode: 0o500 });
    const servers = { files: { command: 'node', args: [notes, '/etc'] } };
    await writeFile(join(deployment.dataDir, 'mcp-servers.json'), JSON.stringify({ mcpServers: servers }));
    const end = await deployment.run(['doctor']);
    expect(end.text).toMatch(/MCP server 'files': .* cannot write .*notes\. If that server shall write there: sudo chown -R .*notes/);
    expect(end.text).not.toContain('/etc');
  },
  60_000,
);

function listen(port: number): Promise<Server> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen(port, '127.0.0.1', () => resolve(server));
  });
}
