import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { round } from './statistics.ts';

/** One line of the table; `ratio` is the figure's to what stands beside it. */
export type Row = (what: string, figure: string, against?: string, ratio?: number) => void;

/** Shown as it grows, then as a whole, and kept as JSON. */
export function createReport() {
  const rows: { what: string; figure: string; against?: string; ratio?: number }[] = [];
  const row: Row = (what, figure, against, ratio) => {
    rows.push({ what, figure, ...(against === undefined ? {} : { against }), ...(ratio === undefined ? {} : { ratio: round(ratio) }) });
    const beside = against === undefined ? '' : ` (${against}${ratio === undefined ? '' : `, ratio ${round(ratio)}`})`;
    console.error(`${what}: ${figure}${beside}`);
  };
  return {
    row,
    finish(name: string): void {
      console.table(rows);
      const results = process.env.BENCH_RESULTS ?? new URL('./results', import.meta.url).pathname;
      mkdirSync(results, { recursive: true });
      writeFileSync(join(results, name), `${JSON.stringify({ at: new Date().toISOString(), node: process.version, rows }, null, 2)}\n`);
    },
  };
}
