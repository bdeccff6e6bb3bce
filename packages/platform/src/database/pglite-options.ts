import type { PGliteOptions } from '@electric-sql/pglite';

/**
 * 8 MB of shared buffers instead of 128: the whole database of a home server is small, and the memory counts. A new WAL
 * segment is not filled with zeroes beforehand: that held up the main thread for 50 to 110 ms with every 16 MB written.
 */
export const PGLITE_OPTIONS: PGliteOptions = { postgresqlconf: ['shared_buffers = 8MB', 'wal_buffers = 256kB', 'wal_init_zero = off'] };
