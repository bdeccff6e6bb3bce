import { networkInterfaces } from 'node:os';
import { join } from 'node:path';
import { type ComposeDeployment, lines } from './compose-deployment.ts';

const PORTS: Readonly<Record<string, number>> = { postgres: 5432, redis: 6379, gateway: 9091, 'mcp-proxy': 9092 };

/** `address:port` of every container in every network, of the host by each of its addresses, and of the internet. */
export async function everyTarget(fleet: ComposeDeployment): Promise<string[]> {
  const targets = ['1.1.1.1:443', '8.8.8.8:53'];
  for (const [service, port] of Object.entries(PORTS)) {
    const [id = ''] = await fleet.containers(service);
    const format = '{{range .NetworkSettings.Networks}}{{.IPAddress}} {{.Gateway}} {{end}}';
    const addresses = (await fleet.docker('inspect', '--format', format, id)).text.trim().split(/\s+/);
    for (const address of addresses) targets.push(`${address}:${port}`);
  }
  const gatewayPort = Number(new URL(fleet.url).port);
  for (const { address } of Object.values(networkInterfaces())
    .flatMap((all) => all ?? [])
    .filter(({ family }) => family === 'IPv4'))
    targets.push(`${address}:${gatewayPort}`, `${address}:22`);
  return [...new Set(targets)];
}

/** The values of all secrets, passwords by themselves too. */
export async function everySecret(fleet: ComposeDeployment): Promise<string[]> {
  const [gateway = ''] = await fleet.containers('gateway');
  const image = (await fleet.docker('inspect', '--format', '{{.Config.Image}}', gateway)).text.trim();
  const read = ['--volume', `${join(fleet.dataDir, 'secrets')}:/secrets:ro`, '--user', '0:0', '--network', 'none', '--entrypoint', 'bash'];
  const all = await fleet.docker('run', '--rm', ...read, image, '-c', 'cat /secrets/{gateway,worker,mcp-proxy,postgres}/*[!n]');
  const values = lines(all.text).filter((line) => /^(cex_|redis:|postgres:|[0-9a-f]{64}$)/.test(line));
  return values.map((value) => /:([0-9a-f]{64})@/.exec(value)?.[1] ?? value);
}
