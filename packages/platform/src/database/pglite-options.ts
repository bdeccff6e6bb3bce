import type { PGliteOptions } from '@electric-sql/pglite';

/** 8 MB of shared buffers instead of 128: the whole database of a home server is small, and the memory counts. */
export const PGLITE_OPTIONS: PGliteOptions = { postgresqlconf: ['shared_buffers = 8MB', 'wal_buffers = 256kB'] };
