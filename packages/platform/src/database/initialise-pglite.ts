import { PGlite } from '@electric-sql/pglite';
import { PGLITE_OPTIONS } from './pglite-options.ts';

const directory = process.argv[2];
if (directory === undefined) throw new Error('usage: initialise-pglite DIRECTORY');
const pglite = new PGlite(directory, PGLITE_OPTIONS);
await pglite.waitReady;
await pglite.close();
