import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parser } from '@prometheus-io/lezer-promql';
import { describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { z } from 'zod';
import { ofKind, ROOT, render } from './manifests.ts';
import { registeredMetrics } from './registered-metrics.ts';
import { typeComplaints } from './typed-literals.ts';

const read = (path: string): Promise<string> => readFile(join(ROOT, path), 'utf8');

const label = z.string().regex(/^[a-zA-Z_]\w*$/);
const duration = z.string().regex(/^(\d+(ms|s|m|h|d|w|y))+$/);
const ruleFile = z.strictObject({
  groups: z
    .array(
      z.strictObject({
        name: z.string().min(1),
        interval: duration.optional(),
        rules: z
          .array(
            z.strictObject({
              alert: label,
              expr: z.string().min(1),
              for: duration.optional(),
              labels: z.record(label, z.string()).and(z.object({ severity: z.enum(['warning', 'critical']) })),
              annotations: z.strictObject({ summary: z.string().min(10), runbook: z.string().regex(/^docs\/alerts\.md#[a-z-]+$/) }),
            }),
          )
          .min(1),
      }),
    )
    .min(1),
});
const dashboardFile = z.looseObject({
  panels: z.array(
    z.looseObject({
      id: z.int(),
      type: z.enum(['row', 'stat', 'timeseries']),
      title: z.string().min(1),
      gridPos: z.object({ x: z.int(), y: z.int(), w: z.int(), h: z.int() }),
      options: z.unknown().optional(),
      targets: z.array(z.looseObject({ refId: z.string(), expr: z.string() })).optional(),
    }),
  ),
});

const readRules = async () => ruleFile.parse(parse(await read('deploy/observability/alerts.yml'))).groups.flatMap(({ rules }) => rules);
const readPanels = async () => dashboardFile.parse(JSON.parse(await read('deploy/observability/dashboard.json'))).panels;

describe('alert rules', () => {
  test('ask for metrics and labels that the services have, in PromQL', async () => {
    const rules = await readRules();
    expect(rules.length).toBeGreaterThan(10);
    expect(await queryComplaints(rules.map(({ alert, expr }) => [alert, expr]))).toEqual([]);
  });

  test('have a name of their own and a section in docs/alerts.md that says what to do', async () => {
    const rules = await readRules();
    const anchors = [...(await read('docs/alerts.md')).matchAll(/^### (\S+)$/gm)].map(([, title = '']) => title.toLowerCase());
    expect(rules.map(({ annotations }) => annotations.runbook.split('#')[1])).toEqual(rules.map(({ alert }) => alert.toLowerCase()));
    expect([...anchors].sort()).toEqual(rules.map(({ alert }) => alert.toLowerCase()).sort());
  });

  test('name error codes that exist', async () => {
    const codes = new Set([...(await read('packages/contracts/src/error-codes.ts')).matchAll(/^ {2}([A-Z_]+):/gm)].map(([, code]) => code));
    const panels = await readPanels();
    const queries = [
      ...(await readRules()).map(({ expr }) => expr),
      ...panels.flatMap(({ targets = [] }) => targets.map(({ expr }) => expr)),
    ];
    for (const [, values = ''] of queries.join('\n').matchAll(/(?:code|outcome)=~?"([A-Z_|]+)"/g)) {
      for (const code of values.split('|')) expect(codes).toContain(code);
    }
  });
});

describe('the dashboard', () => {
  test("is what Grafana's schema says, its panels' options included", async () => {
    const value: unknown = JSON.parse(await read('deploy/observability/dashboard.json'));
    const optionsOf = (type: string): string => {
      const file = { stat: 'stat/panelcfg/x/StatPanelCfg_types.gen', timeseries: 'timeseries/panelcfg/x/TimeSeriesPanelCfg_types.gen' }[
        type
      ];
      return `import('@grafana/schema/dist/esm/raw/composable/${file}').Options`;
    };
    const panels = (await readPanels()).filter(({ type }) => type !== 'row');
    expect(
      typeComplaints([
        { title: 'dashboard', type: "import('@grafana/schema').Dashboard", value },
        ...panels.map(({ title, type, options }) => ({ title, type: optionsOf(type), value: options })),
      ]),
    ).toEqual([]);
  });

  test('with a field or a value that Grafana does not know is found out', () => {
    const type = "import('@grafana/schema').Dashboard";
    expect(typeComplaints([{ title: 'a', type, value: { schemaVersion: 39, tilte: 'x' } }])).toMatchObject([
      expect.stringMatching(/tilte/),
    ]);
    expect(typeComplaints([{ title: 'b', type, value: { schemaVersion: 39, panels: [{ type: 'stat', targets: 3 }] } }])).toHaveLength(1);
    expect(typeComplaints([{ title: 'c', type, value: { schemaVersion: 39, graphTooltip: 'all' } }])).toHaveLength(1);
  });

  test('asks for metrics and labels that the services have', async () => {
    const queries = (await readPanels()).flatMap(({ title, targets = [] }) =>
      targets.map(({ expr }): readonly [string, string] => [title, expr.replaceAll('$__rate_interval', '1m')]),
    );
    expect(queries.length).toBeGreaterThan(20);
    expect(await queryComplaints(queries)).toEqual([]);
  });

  test('has panels that do not lie over each other', async () => {
    const panels = await readPanels();
    expect(new Set(panels.map(({ id }) => id)).size).toBe(panels.length);
    const taken = new Map<string, string>();
    for (const { title, gridPos } of panels) {
      expect(gridPos.x + gridPos.w, title).toBeLessThanOrEqual(24);
      for (let x = gridPos.x; x < gridPos.x + gridPos.w; x += 1) {
        for (let y = gridPos.y; y < gridPos.y + gridPos.h; y += 1) {
          expect(taken.get(`${x},${y}`), title).toBeUndefined();
          taken.set(`${x},${y}`, title);
        }
      }
    }
  });
});

describe('what prometheus.yml has Prometheus ask', () => {
  const ROLES = { gateway: 9091, worker: 9093, 'mcp-proxy': 9092 } as const;
  type Role = keyof typeof ROLES;

  test('is each service once, in either form, and the gateway alone is shown a key', async () => {
    for (const form of ['kubernetes', 'docker']) {
      const jobs = (await readScrapes()).filter(({ job_name }) => job_name.startsWith(form));
      const asked = jobs.flatMap((job) => rolesOf(job).map((role) => [role, job.authorization !== undefined] as const));
      expect(Object.fromEntries(asked), form).toEqual({ gateway: true, worker: false, 'mcp-proxy': false });
      expect(asked, form).toHaveLength(3);
    }
  });

  test('listens beyond its container in the Docker form, on a network that Prometheus can be on', async () => {
    const compose = z
      .object({
        services: z.record(z.string(), z.object({ networks: z.array(z.string()), environment: z.record(z.string(), z.string()) })),
      })
      .parse({ services: pick(parse(await read('docker-compose.yml'), { merge: true }).services, Object.keys(ROLES)) });
    for (const [role, { networks, environment }] of Object.entries(compose.services)) {
      expect(environment.EXECUTOR_HOST, role).toBe('0.0.0.0');
      expect(networks.includes('stores') || networks.includes('work'), role).toBe(true);
    }
    for (const { dns_sd_configs = [] } of await readScrapes()) {
      for (const { names, port } of dns_sd_configs) expect(names.map((name) => ROLES[name as Role])).toEqual([port]);
    }
  });

  const scrapeFile = z.object({
    scrape_configs: z.array(
      z.object({
        job_name: z.string(),
        authorization: z.strictObject({ credentials_file: z.string() }).optional(),
        dns_sd_configs: z.array(z.object({ names: z.array(z.string()), port: z.int() })).optional(),
        relabel_configs: z.array(
          z.object({ source_labels: z.array(z.string()), regex: z.string().optional(), action: z.string().optional() }),
        ),
      }),
    ),
  });
  type Scrape = z.infer<typeof scrapeFile>['scrape_configs'][number];

  const readScrapes = async (): Promise<readonly Scrape[]> =>
    scrapeFile.parse(parse(await read('deploy/observability/prometheus.yml'))).scrape_configs;

  /** Which services a job asks: by name, or as its rules keep pods. */
  function rolesOf({ dns_sd_configs, relabel_configs }: Scrape): readonly string[] {
    if (dns_sd_configs !== undefined) return dns_sd_configs.flatMap(({ names }) => names);
    const kept = relabel_configs.filter(
      ({ action, source_labels }) => action === 'keep' && source_labels[0] === '__meta_kubernetes_pod_label_app_kubernetes_io_component',
    );
    return Object.keys(ROLES).filter((role) => kept.every(({ regex = '' }) => new RegExp(`^(?:${regex})$`).test(role)));
  }

  const pick = (all: Readonly<Record<string, unknown>>, names: readonly string[]): Record<string, unknown> =>
    Object.fromEntries(names.map((name) => [name, all[name]]));
});

test('the autoscaler asks for the queue that the gateway counts, by the name that the adapter gives it', async () => {
  const external = z
    .object({ metric: z.object({ name: z.string(), selector: z.object({ matchLabels: z.record(z.string(), z.string()) }) }) })
    .parse(
      ofKind<{ spec: { metrics: { external?: unknown }[] } }>(await render('k8s/overlays/production'), 'HorizontalPodAutoscaler')
        .flatMap(({ spec }) => spec.metrics)
        .find((metric) => metric.external !== undefined)?.external,
    );
  const [[name, value] = []] = Object.entries(external.metric.selector.matchLabels);
  expect(await queryComplaints([['HPA', `${external.metric.name}{${name}="${value}"}`]])).toEqual([]);
  const adapter = z
    .object({ rules: z.object({ external: z.array(z.object({ seriesQuery: z.string(), metricsQuery: z.string() })).length(1) }) })
    .parse(parse(await read('deploy/observability/prometheus-adapter.yaml')));
  const [rule] = adapter.rules.external;
  expect(rule?.seriesQuery).toMatch(new RegExp(`^${external.metric.name}\\{`));
  // Every gateway counts the same rows.
  expect(rule?.metricsQuery).toMatch(/^max\(/);
});

test('a query for what no service has is found out', async () => {
  expect(await queryComplaints([['a', 'rate(code_executor_nothing_total[5m])']])).toEqual([
    'a: no service has code_executor_nothing_total',
  ]);
  expect(await queryComplaints([['b', 'sum by (nope) (code_executor_executions{state="queued"})']])).toEqual(['b: no label nope']);
  expect(await queryComplaints([['c', 'code_executor_executions{colour="red"}']])).toEqual(['c: no label colour']);
  expect(await queryComplaints([['d', 'sum(rate(code_executor_executions[5m])']])).toEqual(['d: no PromQL']);
});

/** Of each query: is it PromQL, does a service register its metrics, and do those have the labels that it uses? */
async function queryComplaints(queries: readonly (readonly [string, string])[]): Promise<readonly string[]> {
  const metrics = await registeredMetrics(ROOT);
  return queries.flatMap(([title, query]) => {
    const names: string[] = [];
    const labels: string[] = [];
    let isPromQl = true;
    parser.parse(query).iterate({
      enter({ type, from, to, node }) {
        const text = query.slice(from, to);
        if (type.isError) isPromQl = false;
        else if (type.name === 'Identifier' && node.parent?.name === 'VectorSelector') names.push(text);
        else if (type.name === 'LabelName') labels.push(text);
      },
    });
    if (!isPromQl) return [`${title}: no PromQL`];
    const known = new Set(names.flatMap((name) => [...(metrics.get(name) ?? [])]));
    return [
      ...names.filter((name) => !metrics.has(name)).map((name) => `${title}: no service has ${name}`),
      ...(names.some((name) => !metrics.has(name))
        ? []
        : labels.filter((one) => !known.has(one)).map((one) => `${title}: no label ${one}`)),
    ];
  });
}
