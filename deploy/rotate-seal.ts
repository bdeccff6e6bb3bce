// rotate-seal.ts URL KEY_FILE [--new-key]: has the running service seal every secret in its database under the newest key of its
// key file; with --new-key the service adds that key itself. Exits 1 when it does not.
import { readFileSync } from 'node:fs';
import { askService, reasonOf } from './ask-service.ts';

/** Every secret is a row; thousands take seconds. */
const TIMEOUT_MS = 120_000;

const [url = '', keyFile = '', flag] = process.argv.slice(2);
const answer = await askService(`${url}/providers/sealed/rotate`, TIMEOUT_MS, {
  method: 'POST',
  headers: { authorization: `Bearer ${readFileSync(keyFile, 'utf8').trim()}`, 'content-type': 'application/json' },
  body: JSON.stringify({ newKey: flag === '--new-key' }),
});
if (answer?.status !== 200) {
  process.stderr.write(`The secrets were not sealed anew: ${reasonOf(answer)}\n`);
  process.exit(1);
}
const { keyId, keys, resealed, total } = answer.body;
process.stdout.write(
  `✓ ${String(resealed)} of ${String(total)} secrets were sealed anew under the key ${String(keyId)}; the key file holds ${String(keys)} keys.\n`,
);
