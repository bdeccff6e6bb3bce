import { once } from 'node:events';
import { createServer, type Server } from 'node:net';
import { networkInterfaces } from 'node:os';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Arena } from './arena.ts';

const METADATA = [
  '169.254.169.254',
  '2852039166',
  '0xa9fea9fe',
  '0251.0376.0251.0376',
  '169.254.43518',
  '::ffff:169.254.169.254',
  '::ffff:a9fe:a9fe',
  'fd00:ec2::254',
  '64:ff9b::a9fe:a9fe',
  'metadata.google.internal',
];

/** Of every interface of this machine, or of this container. */
const ownAddresses = (): string[] =>
  Object.values(networkInterfaces()).flatMap((each) =>
    (each ?? []).filter(({ family }) => family === 'IPv4').map(({ address }) => address),
  );

/** There is no network but a loopback of the sandbox's own. */
export function networkCases(arena: () => Arena): void {
  const servers: Server[] = [];
  let port = 0;
  const reached: string[] = [];
  beforeAll(async () => {
    const listen = async (where: object): Promise<Server> => {
      const server = createServer((socket) => {
        reached.push(JSON.stringify(where));
        socket.end('host');
      });
      server.listen(where);
      await once(server, 'listening');
      servers.push(server);
      return server;
    };
    const address = (await listen({ host: '0.0.0.0', port: 0 })).address();
    port = typeof address === 'object' && address !== null ? address.port : 0;
    await listen({ path: '\0conformance-host-socket' });
    await listen({ path: `${arena().dataDir}/host.sock` });
  });
  afterAll(() => {
    for (const server of servers) server.close();
  });

  test('services of the host are out of reach: loopback, abstract and named sockets', async () => {
    const { result } = await arena().python(`
import errno, socket
answers = {}
def attempt(name, family, address):
    one = socket.socket(family); one.settimeout(2)
    try: one.connect(address); answers[name] = "reached"
    except OSError as error: answers[name] = errno.errorcode.get(error.errno, type(error).__name__)
for host in ("127.0.0.1", "127.1.2.3", "0.0.0.0", "localhost", *${JSON.stringify(ownAddresses())}): attempt(host, socket.AF_INET, (host, ${port}))
for host in ("::1", "::ffff:127.0.0.1", "::"): attempt(host, socket.AF_INET6, (host, ${port}))
attempt("abstract", socket.AF_UNIX, "\\0conformance-host-socket")
attempt("named", socket.AF_UNIX, "${arena().dataDir}/host.sock")
answers`);
    expect(Object.values(result as object)).not.toContain('reached');
    expect(reached).toEqual([]);
  });

  test('the metadata address is out of reach in every spelling, and so is everything else, in both languages', async () => {
    const hosts = [
      ...METADATA,
      '8.8.8.8',
      '10.0.0.1',
      '172.17.0.1',
      '192.168.0.1',
      'example.com',
      '2001:4860:4860::8888',
      '255.255.255.255',
      '224.0.0.1',
    ];
    const python = await arena().python(
      `import socket\nanswers = {}\nfor host in ${JSON.stringify(hosts)}:\n    try: socket.create_connection((host, 80), 2); answers[host] = "reached"\n    except OSError as error: answers[host] = type(error).__name__\nfor host in ("8.8.8.8", "224.0.0.251", "255.255.255.255"):\n    one = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); one.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)\n    try: one.sendto(b"x", (host, 53)); answers["udp " + host] = "reached"\n    except OSError as error: answers["udp " + host] = type(error).__name__\nanswers`,
    );
    expect(Object.keys(python.result as object)).toHaveLength(hosts.length + 3);
    expect(Object.values(python.result as object)).not.toContain('reached');
    const typescript = await arena().typescript(
      `const answers = {}; for (const host of ${JSON.stringify(hosts)}) { try { await fetch('http://' + (host.includes(':') ? '[' + host + ']' : host) + '/latest/meta-data/', { signal: AbortSignal.timeout(2000) }); answers[host] = 'reached' } catch (error) { answers[host] = String(error?.message ?? error) } } return answers`,
      { timeoutMs: 30_000 },
    );
    expect(Object.values(typescript.result as object)).not.toContain('reached');
  });

  test('names are not resolved, and it is said soon', async () => {
    const bout = await arena().python(
      'import socket, time\nbefore = time.monotonic()\ntry: socket.getaddrinfo("example.com", 80); answer = "resolved"\nexcept socket.gaierror: answer = "not resolved"\n[answer, time.monotonic() - before < 3]',
    );
    expect(bout.result).toEqual(['not resolved', true]);
  });

  test('its own loopback works, and a sibling does not hear it', async () => {
    const [one, other] = await Promise.all([
      arena().python(
        'import socket, threading, time\ns = socket.create_server(("127.0.0.1", 8765)); s.settimeout(3)\nthreading.Thread(target=lambda: [s.accept()[0].sendall(b"me")], daemon=True).start()\nr = socket.create_connection(("127.0.0.1", 8765), 2).recv(2).decode()\ntime.sleep(1)\nr',
      ),
      arena().python(
        'import socket, time\nr = []\nfor _ in range(20):\n    time.sleep(0.05)\n    try: socket.create_connection(("127.0.0.1", 8765), 1); r.append("reached")\n    except OSError: pass\nr',
      ),
    ]);
    expect([one.result, other.result]).toEqual(['me', []]);
  });
}
