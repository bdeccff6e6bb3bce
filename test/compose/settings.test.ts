import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { readContainerPoolConfig } from '../../services/container-pool/src/config.ts';
import { readGatewayServiceConfig } from '../../services/gateway/src/service-config.ts';
import { readProxyConfig } from '../../services/mcp-proxy/src/config.ts';
import { readWorkerConfig } from '../../services/worker/src/config.ts';

const ROOT = join(import.meta.dirname, '../..');
const READERS: Readonly<Record<string, (environment: Record<string, string>) => unknown>> = {
  gateway: readGatewayServiceConfig,
  worker: readWorkerConfig,
  'mcp-proxy': readProxyConfig,
  'container-pool': readContainerPoolConfig,
};
const read = (path: string): string => readFileSync(join(ROOT, path), 'utf8');
const composeFiles = ['docker-compose.yml', 'docker-compose.containers.yml'].map(read);
const settings = inDeploy(`printf '%s\\n' "\${FLEET_SETTINGS[@]}"`).split('\n');
const ofDeploy = inDeploy(`printf '%s\\n' "\${DEPLOY_SETTINGS[@]}"`).split('\n');

describe('settings of the Docker form', () => {
  test('reach a service that knows them, every one that deploy.sh hands on', () => {
    expect(settings.length).toBeGreaterThan(40);
    for (const name of [...settings, 'EXECUTOR_SANDBOX']) expect(composeFiles.join('\n'), name).toContain(`\${${name}:-`);
  });

  test('are variables that the service they are given to reads', () => {
    let given = 0;
    for (const file of composeFiles) {
      const { services }: { services: Record<string, { environment?: Record<string, string> }> } = parse(file, { merge: true });
      for (const [service, { environment = {} }] of Object.entries(services)) {
        const reader = READERS[service];
        if (reader === undefined) continue;
        for (const name of Object.keys(environment).filter((one) => one.startsWith('EXECUTOR_'))) {
          expect(complaintsOf(reader, name), `${service} does not know ${name}`).not.toContain(`${name} is no variable`);
          given += 1;
        }
      }
    }
    expect(given).toBeGreaterThan(60);
    expect(complaintsOf(readWorkerConfig, 'EXECUTOR_SEAL_KEY')).toContain('EXECUTOR_SEAL_KEY is no variable');
  });

  test('are all that docs/configuration.md has, but for those that it says are none', () => {
    const documented = [...read('docs/configuration.md').matchAll(/^\| (`(?:EXECUTOR|OTEL)_[^|]*)\|/gm)].flatMap(([, cell = '']) =>
      [...cell.matchAll(/`((?:EXECUTOR|OTEL)_[A-Z_]+)`/g)].map(([, name = '']) => name),
    );
    expect(documented.length).toBeGreaterThan(50);
    const none = ['EXECUTOR_PYTHON_PACKAGES_DIR', 'OTEL_EXPORTER_OTLP_HEADERS'];
    expect(documented.filter((name) => ![...settings, ...ofDeploy, ...none].includes(name))).toEqual([]);
  });
});

describe('what deploy.sh writes down for the containers', () => {
  let directory: string;
  const environmentOf = (variables: Readonly<Record<string, string>>): string =>
    inDeploy('sandbox_environment() { :; }; DATA_DIR=/d HOST=h PORT=1; read_fleet_setting_files; fleet_environment', variables);

  beforeAll(() => {
    directory = mkdtempSync(join(tmpdir(), 'settings-'));
    writeFileSync(join(directory, 'url'), 'https://hooks.example.com/a\n');
    writeFileSync(join(directory, 'secret'), 'sesame-of-the-webhook\n');
  });
  afterAll(() => rmSync(directory, { recursive: true }));

  test('is what a setting’s file holds, where a file is named', () => {
    const written = environmentOf({ EXECUTOR_APPROVAL_WEBHOOK_URL_FILE: join(directory, 'url') });
    expect(written).toContain('\nEXECUTOR_APPROVAL_WEBHOOK_URL=https://hooks.example.com/a');
    expect(() => environmentOf({ EXECUTOR_QUEUE_LIMIT_FILE: join(directory, 'nowhere') })).toThrow(/is empty or cannot be read/);
    expect(() => environmentOf({ EXECUTOR_APPROVAL_WEBHOOK_URL_FILE: join(directory, 'url'), EXECUTOR_APPROVAL_WEBHOOK_URL: 'x' })).toThrow(
      /both set/,
    );
  });

  test.each(['EXECUTOR_APPROVAL_WEBHOOK_SECRET_FILE', 'EXECUTOR_APPROVAL_WEBHOOK_SECRET'])(
    'of the secret of webhooks (%s) is whether it has changed: it goes where no environment shows it',
    (name) => {
      const value = name.endsWith('_FILE') ? join(directory, 'secret') : 'sesame-of-the-webhook';
      const written = environmentOf({ [name]: value });
      expect(written).toMatch(/^EXECUTOR_APPROVAL_WEBHOOK_SECRET=[0-9a-f]{64}$/m);
      expect(written).not.toContain('sesame');
      expect(composeFiles.join('\n')).not.toContain(`\${EXECUTOR_APPROVAL_WEBHOOK_SECRET`);
    },
  );

  test('gives the gateway a way out only where it has to read the keys of an identity provider', () => {
    expect(environmentOf({})).not.toContain('MASQUERADE');
    expect(environmentOf({ EXECUTOR_OIDC_ISSUER: 'https://id.example.com' })).toContain('\nEXECUTOR_EDGE_MASQUERADE=true');
    const { networks } = parse(composeFiles[0] ?? '');
    expect(networks.edge.driver_opts).toEqual({
      'com.docker.network.bridge.enable_ip_masquerade': `\${EXECUTOR_EDGE_MASQUERADE:-false}`,
    });
  });
});

/** Bash with the Docker form's part of deploy.sh. Throws with what it says where it fails. */
function inDeploy(script: string, variables: Readonly<Record<string, string>> = {}): string {
  const parts = '. deploy/say.sh; . deploy/docker/fleet.sh; SERVICES_IMAGE=a WORKER_IMAGE=b REDIS_IMAGE=c POSTGRES_IMAGE=d';
  return execFileSync('bash', ['-euo', 'pipefail', '-c', `${parts}; ${script}`], {
    cwd: ROOT,
    env: { PATH: process.env.PATH, ...variables },
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'pipe'],
  }).trim();
}

/** What a service says of an environment that is this variable alone. */
function complaintsOf(reader: (environment: Record<string, string>) => unknown, name: string): string {
  try {
    reader({ [name]: 'x' });
    return '';
  } catch (error) {
    return String(error);
  }
}
