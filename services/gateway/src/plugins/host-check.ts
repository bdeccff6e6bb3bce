import { isIP } from 'node:net';
import { AppError } from '@code-executor/platform';
import type { FastifyInstance } from 'fastify';
import { type GatewayConfig, isLoopback, LOOPBACK_HOSTS } from '../config.ts';

interface HostName {
  readonly name: string;
  readonly port: string;
}

/**
 * Against DNS rebinding, where a page in the operator's browser reaches this gateway under a name of its own.
 * Bound to loopback: Host must be localhost, 127.0.0.1, [::1] (any port) or one of `allowedHosts`. Bound elsewhere: one of
 * `allowedHosts` and loopback if there are any, else Host is not checked, since this process cannot know its own names.
 * In every case a request with an Origin comes from a browser and must come from this gateway's own pages, or from a host
 * in `allowedHosts`. There are no CORS headers.
 */
export function registerHostCheck(app: FastifyInstance, config: GatewayConfig): void {
  const loopback = isLoopback(config.host);
  const extra = new Set(config.allowedHosts.map((host) => host.toLowerCase()));
  const isNamed = loopback || extra.size > 0;
  // Where people are sent back to by others (EXECUTOR_PUBLIC_URL).
  if (config.publicUrl !== null) extra.add(new URL(config.publicUrl).hostname);
  const allowed = isNamed ? new Set([...LOOPBACK_HOSTS, ...extra]) : null;

  app.addHook('onRequest', (request, _reply, done) => {
    // Orchestrators probe by address; what these two answer is no secret.
    const probe = !loopback && request.routeOptions.config.probe === true;
    const host = splitHost(request.headers.host ?? '');
    const scraped = !loopback && request.routeOptions.config.scraped === true && host !== null && isAddress(host.name);
    if (allowed && !probe && !scraped && !(host && allowed.has(host.name))) {
      done(new AppError('HOST_NOT_ALLOWED', hostMessage(request.headers.host)));
      return;
    }
    const { origin } = request.headers;
    if (origin !== undefined && !mayCome(origin, host, allowed, extra)) {
      done(
        new AppError(
          'HOST_NOT_ALLOWED',
          `Requests from pages of ${JSON.stringify(origin.slice(0, 100))} are not answered; add its host to EXECUTOR_ALLOWED_HOSTS.`,
        ),
      );
      return;
    }
    done();
  });
}

function mayCome(origin: string, host: HostName | null, allowed: ReadonlySet<string> | null, extra: ReadonlySet<string>): boolean {
  const from = /^https?:\/\/([^/]+)$/i.exec(origin)?.[1];
  const page = from === undefined ? null : splitHost(from);
  if (!page) return false;
  if (extra.has(page.name)) return true;
  if (!host || page.port !== host.port) return false;
  return allowed ? allowed.has(page.name) : page.name === host.name;
}

/** `[::1]:9091` → `[::1]`, `9091`; null for what is no host. */
function splitHost(text: string): HostName | null {
  const match = /^(\[[0-9a-f:.]+\]|[^:[\]/@\s]+)(?::(\d{1,5}))?$/i.exec(text);
  return match ? { name: (match[1] ?? '').toLowerCase().replace(/\.$/, ''), port: match[2] ?? '' } : null;
}

/** What a page of another name cannot send: its own name is what it was reached by. */
const isAddress = (name: string): boolean => isIP(name.replace(/^\[(.*)\]$/, '$1')) !== 0;

function hostMessage(host: string | undefined): string {
  if (host === undefined || host === '') return 'The request has no Host header; send the one this gateway is reached by.';
  return `This gateway does not answer to the host ${JSON.stringify(host.slice(0, 100))}; use 127.0.0.1, or add the name to EXECUTOR_ALLOWED_HOSTS.`;
}
