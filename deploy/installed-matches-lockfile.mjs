// Exits 0 when node_modules holds what package-lock.json says, judged by npm's own record of what it installed.
// Plain JavaScript, because the host's Node may be 20. Packages for other platforms may be missing.
import { readFileSync } from 'node:fs';

const root = process.argv[2];
const read = (file) => JSON.parse(readFileSync(`${root}/${file}`, 'utf8')).packages;
const wanted = read('package-lock.json');
const installed = read('node_modules/.package-lock.json');
const missing = Object.entries(wanted).filter(
  ([path, entry]) => path.startsWith('node_modules/') && !entry.link && !entry.optional && installed[path]?.version !== entry.version,
);
const stale = Object.entries(installed).filter(([path, entry]) => !entry.link && wanted[path]?.version !== entry.version);
process.exitCode = missing.length + stale.length === 0 ? 0 : 1;
