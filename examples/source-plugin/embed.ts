/** The engine inside this process, with a kind of source of our own: node embed.ts DIRECTORY ADDRESS */
import { createExecutor } from '@code-executor/standalone';

const [, , dataDir = './executor-data', address = 'http://127.0.0.1:9701'] = process.argv;
const executor = await createExecutor({
  dataDir,
  plugins: ['openapi', new URL('./routes-kind.ts', import.meta.url)],
  settings: { EXECUTOR_POOL_TYPESCRIPT: '1', EXECUTOR_POOL_PYTHON: '0' },
});
try {
  const document = `#routes Notes 1.0\nget count_notes /notes/count Counts the notes\npost add_note /notes Writes a note down\n`;
  await executor.integrations.add({ slug: 'notes', document, baseUrl: address, trust: true });
  const { result, error } = await executor.execute(`
    import { add_note, count_notes } from '/workspace/servers/notes/index.js';
    await add_note({ text: 'hello' });
    return await count_notes({});`);
  console.log(JSON.stringify(error ?? result));
} finally {
  await executor.close();
}
