// A service that a test kills: it boots two sandboxes, names every process it brought about, and stays.
import { openAdapter, spec, startIn } from '../../boot/testing/open-adapter.ts';
import { descendants } from '../../bubblewrap/process-tree.ts';

const { adapter, runDir } = await openAdapter('launcher');
const sandboxes = await Promise.all([adapter.boot(spec('typescript')), adapter.boot(spec('python'))]);
for (const sandbox of sandboxes) {
  if (sandbox.spec.runtime === 'python') startIn(sandbox, 'import os, time\nos.fork(); os.fork(); os.write(1, b"x"); time.sleep(1000)');
}
setTimeout(() => process.stdout.write(JSON.stringify({ pids: descendants(process.pid), runDir })), 300);
setInterval(() => undefined, 1000);
