import { describe, expect, test } from 'vitest';
import { serviceForThisFile } from './support/service-suite.ts';

const { service, typescript, python } = serviceForThisFile();

interface List {
  items: { path: string; bytes: number }[];
  total: number;
  omitted: { path: string; reason: string }[];
}
const list = async (executionId: string): Promise<List> => {
  const answer = await service().get(`/executions/${executionId}/artifacts`);
  expect(answer.status, JSON.stringify(answer.body)).toBe(200);
  return answer.body as List;
};
const fetchFile = (executionId: string, path: string, key = service().key): Promise<Response> =>
  fetch(`${service().url}/executions/${executionId}/artifacts/${path}`, { headers: { authorization: `Bearer ${key}` } });

describe('files that a program leaves in /workspace/artifacts', () => {
  test('are listed and can be fetched as they were, however the program ended', async () => {
    const bytes = 'import os; os.makedirs("artifacts/deep er"); open("artifacts/deep er/a.bin","wb").write(bytes(range(256)))';
    const ends = ['', '\nraise SystemExit(0)', '\nraise ValueError("x")', '\nwhile True: pass', '\nos.kill(os.getpid(), 9)'];
    const answers = await Promise.all(ends.map((end) => python(`${bytes}${end}`, { timeoutMs: 1_500 })));
    expect(answers.map(({ status }) => status)).toEqual(['succeeded', 'succeeded', 'failed', 'timed_out', 'failed']);
    for (const { executionId } of answers) {
      expect(await list(executionId)).toEqual({ items: [{ path: 'deep er/a.bin', bytes: 256 }], total: 1, nextCursor: null, omitted: [] });
      const answer = await fetchFile(executionId, 'deep%20er/a.bin');
      expect(answer.headers.get('content-type')).toBe('application/octet-stream');
      expect(answer.headers.get('x-content-type-options')).toBe('nosniff');
      expect(new Uint8Array(await answer.arrayBuffer())).toEqual(Uint8Array.from({ length: 256 }, (_, index) => index));
    }
  });

  test('and the whole output, where the answer has only part of it', async () => {
    const { executionId, truncated } = await typescript('for (let i = 0; i < 30000; i++) console.log("line " + i); null');
    expect(truncated).toBe(true);
    const text = await (await fetchFile(executionId, 'output.txt')).text();
    expect(text).toBe(Array.from({ length: 30_000 }, (_, index) => `line ${index}\n`).join(''));
  });

  test('a program that leaves nothing has an empty list, and what it did not leave is not found', async () => {
    const { executionId } = await typescript('1');
    expect(await list(executionId)).toMatchObject({ items: [], total: 0, omitted: [] });
    for (const path of ['a.txt', '..%2f..%2fadmin.key', '%2e%2e/%2e%2e/admin.key', 'index.json', '0']) {
      expect((await fetchFile(executionId, path)).status).toBe(404);
    }
  });

  test('are for who may see the execution', async () => {
    const { executionId } = await python('import os; os.mkdir("artifacts"); open("artifacts/a","w").write("mine")');
    const other = (await service().post('/keys', { name: 'other', role: 'agent' })).body as { key: string };
    expect((await fetchFile(executionId, 'a', other.key)).status).toBe(404);
    expect((await fetchFile(executionId, 'a', 'no key')).status).toBe(401);
    expect((await fetchFile(executionId, 'a')).status).toBe(200);
  });
});

describe('a hostile program', () => {
  test('gets nothing of the host by links, FIFOs, sockets and devices, and holds nobody up', async () => {
    const { executionId, error } = await python(`
import os, socket
os.mkdir("artifacts")
os.symlink("/etc/passwd", "artifacts/passwd")
os.symlink("/", "artifacts/root")
os.symlink("../main.py", "artifacts/inside")
os.symlink("/workspace/servers", "artifacts/servers")
os.mkfifo("artifacts/fifo")
socket.socket(socket.AF_UNIX).bind("artifacts/socket")
open("artifacts/unreadable","w").write("x"); os.chmod("artifacts/unreadable", 0)
os.mkdir("artifacts/closed"); open("artifacts/closed/a","w").write("x"); os.chmod("artifacts/closed", 0)
open("artifacts/line\\nbreak", "w").write("x")
open("plain", "w").write("linked")
os.link("plain", "artifacts/hard")
try: os.link("/etc/passwd", "artifacts/hard-passwd")
except OSError: pass
try: os.mknod("artifacts/device", 0o600 | 0o020000, os.makedev(1, 5))
except OSError: pass
`);
    expect(error).toBeNull();
    const { items, omitted } = await list(executionId);
    expect(items).toEqual([{ path: 'hard', bytes: 6 }]);
    expect(omitted.map(({ path }) => path).sort()).toEqual(
      ['closed', 'fifo', 'inside', 'line?break', 'passwd', 'root', 'servers', 'socket', 'unreadable'].sort(),
    );
  });

  test('gets nothing by an artifacts directory that is a link itself', async () => {
    const { executionId } = await python('import os; os.symlink("/etc", "artifacts")');
    expect((await list(executionId)).items).toEqual([]);
  });

  test('cannot make a sparse file of 10 GB, and a great one of many is named, not kept', async () => {
    const { executionId, result } = await python(`
import os, signal
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
os.mkdir("artifacts")
try:
  open("artifacts/sparse", "wb").truncate(10 << 30); refused = False
except OSError: refused = True
for n in range(3): open(f"artifacts/{n}", "wb").truncate(30 << 20)
for n in range(100): open(f"artifacts/small-{n:03}", "wb").close()
for deep in range(12): os.makedirs("artifacts/" + "/".join(["d"] * (deep + 1)), exist_ok=True)
refused`);
    expect(result).toBe(true);
    const { items, omitted } = await list(executionId);
    expect(items).toHaveLength(64);
    expect(items.filter(({ bytes }) => bytes > 0).map(({ path }) => path)).toEqual(['0', '1']);
    expect(omitted.map(({ path }) => path)).toContain('2');
  });

  test('wins no race: processes that swap files for links while it ends leak nothing', async () => {
    const answers = await Promise.all(
      Array.from({ length: 6 }, () =>
        python(
          `
import os
os.makedirs("artifacts/dir")
for n in range(4):
  if os.fork() == 0:
    while True:
      try:
        for name in ("a", "dir/a"):
          with open(f"tmp-{n}", "w") as f: f.write("mine")
          os.rename(f"tmp-{n}", f"artifacts/{name}")
          os.symlink("/etc/passwd", f"link-{n}"); os.rename(f"link-{n}", f"artifacts/{name}")
        os.rename("artifacts/dir", f"d-{n}"); os.symlink("/etc", "artifacts/dir")
        os.unlink("artifacts/dir"); os.rename(f"d-{n}", "artifacts/dir")
      except OSError: pass
import time; time.sleep(0.2)
1`,
        ),
      ),
    );
    for (const { executionId, status } of answers) {
      expect(status).toBe('succeeded');
      for (const { path } of (await list(executionId)).items) {
        expect(['', 'mine']).toContain(await (await fetchFile(executionId, path)).text());
      }
    }
  });
});
