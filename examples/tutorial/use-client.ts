import { createClient } from './tracker.ts';

const client = createClient({ url: process.env.EXECUTOR_URL ?? 'http://127.0.0.1:9091', key: process.env.EXECUTOR_KEY });
for (const issue of await client.tracker.list_issues({ state: 'open' })) {
  console.log(`#${issue.number} ${issue.title}`);
}
