import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { collectDefaultMetrics, Registry } from 'prom-client';

/** A metric as it is asked for, to the labels that it has. */
export type RegisteredMetrics = ReadonlyMap<string, ReadonlySet<string>>;

/** Set by Prometheus, as deploy/observability/prometheus.yml has it. */
const TARGET_LABELS = ['job', 'instance', 'namespace'];

/** Every metric that the code of the services and packages registers, and those of prom-client itself. */
export async function registeredMetrics(root: string): Promise<RegisteredMetrics> {
  const metrics = new Map<string, Set<string>>([['up', new Set(TARGET_LABELS)]]);
  const add = (name: string, labels: readonly string[]): void => {
    metrics.set(name, new Set([...(metrics.get(name) ?? []), ...TARGET_LABELS, ...labels]));
  };
  for (const source of await sourcesOf(root)) {
    for (const [, type = '', body = ''] of source.matchAll(/new (Counter|Gauge|Histogram)\(\{([\s\S]*?)(?:buckets|registers|collect)\b/g)) {
      const name = /name: '(\w+)'/.exec(body)?.[1];
      const labels = [...(/labelNames: \[([^\]]*)\]/.exec(body)?.[1] ?? '').matchAll(/'(\w+)'/g)].map(([, label = '']) => label);
      if (name !== undefined)
        for (const series of seriesOf(name, type)) add(series, series.endsWith('_bucket') ? [...labels, 'le'] : labels);
    }
    // By way of a function that takes the name first.
    for (const [, name = ''] of source.matchAll(/\w+\('(code_executor_\w+)',/g)) add(name, []);
  }
  const ofProcess = new Registry();
  collectDefaultMetrics({ register: ofProcess });
  for (const { name } of await ofProcess.getMetricsAsJSON()) add(name, []);
  return metrics;
}

const seriesOf = (name: string, type: string): readonly string[] =>
  type === 'Histogram' ? [`${name}_bucket`, `${name}_count`, `${name}_sum`] : [name];

async function sourcesOf(root: string): Promise<readonly string[]> {
  const files = await Promise.all(
    ['services', 'packages'].map(async (folder) => {
      const entries = await readdir(join(root, folder), { recursive: true, withFileTypes: true });
      return entries
        .filter((entry) => entry.isFile() && /(?<!\.test)\.ts$/.test(entry.name) && /\/src(\/|$)/.test(entry.parentPath))
        .filter(({ parentPath }) => !parentPath.includes('node_modules'))
        .map(({ parentPath, name }) => join(parentPath, name));
    }),
  );
  return await Promise.all(files.flat().map((file) => readFile(file, 'utf8')));
}
