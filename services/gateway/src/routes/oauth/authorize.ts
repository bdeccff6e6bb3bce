import type { Role } from '@code-executor/contracts';
import { type AuthorizationQuery, type AuthorizationRequest, type Keys, type OAuthOrigin, rolesUpTo } from '@code-executor/executions';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { GatewayApp, RouteDeps } from '../../gateway-app.ts';
import type { Access } from './access.ts';
import { isFromOurForm, newFormToken, readFields } from './forms.ts';
import { originOf } from './origin.ts';
import { consentForm, escapeHtml, sendPage } from './pages.ts';
import { PUBLIC_ROUTE } from './public-route.ts';

const ASKED = [
  'response_type',
  'client_id',
  'redirect_uri',
  'code_challenge',
  'code_challenge_method',
  'state',
  'scope',
  'resource',
] as const;
const TITLE = 'Let an application in';

/** `GET /oauth/authorize` asks the human, `POST` takes their answer; both judge the whole request. */
export function registerAuthorize(app: GatewayApp, deps: RouteDeps, { oauth }: Access, keys: Keys): void {
  app.get('/oauth/authorize', PUBLIC_ROUTE, async (request, reply) => {
    const query = readFields(request.query);
    if (query === null) return sendPage(reply, 400, TITLE, '<p>The request of the application has a field twice.</p>');
    const origin = originOf(request, deps.config);
    const answer = await oauth.checkAuthorization(askedOf(query), origin);
    if (answer.kind === 'ask') return ask(request, reply, answer.request, origin, askedOf(query), null);
    return refuse(reply, answer, origin);
  });

  app.post('/oauth/authorize', PUBLIC_ROUTE, async (request, reply) => {
    const fields = readFields(request.body);
    if (fields === null || !isFromOurForm(request, fields.token)) {
      return sendPage(
        reply,
        403,
        TITLE,
        '<p>This form was not filled in here, or has lain for too long. Go back to the application and begin anew.</p>',
      );
    }
    const origin = originOf(request, deps.config);
    const asked = askedOf(fields);
    const answer = await oauth.checkAuthorization(asked, origin);
    if (answer.kind !== 'ask') return refuse(reply, answer, origin);
    const { redirectUri, state } = answer.request;
    if (fields.decision !== 'approve') {
      return redirect(reply, redirectUri, { error: 'access_denied', error_description: 'The user refused.', state, iss: origin.issuer });
    }
    const human = await keys.authenticate(fields.key?.trim() ?? '');
    if (human === null) return ask(request, reply, answer.request, origin, asked, 'This key is unknown, expired or revoked.');
    const role = roleOf(fields.role, answer.request.role);
    const code = await oauth.consent(answer.request, human, role);
    const { client } = answer.request;
    await deps.audit.record({
      type: 'oauth.consent',
      principal: human,
      target: client.id,
      requestId: request.id,
      details: { client: client.name, role },
    });
    return redirect(reply, redirectUri, { code, state, iss: origin.issuer });
  });

  function ask(
    request: FastifyRequest,
    reply: FastifyReply,
    { client, redirectUri, role }: AuthorizationRequest,
    { issuer }: OAuthOrigin,
    asked: AuthorizationQuery,
    problem: string | null,
  ): FastifyReply {
    const token = newFormToken(request, reply, issuer.startsWith('https:'));
    const given = Object.entries(asked).filter((entry): entry is [string, string] => typeof entry[1] === 'string');
    const leadsTo = destinationOf(redirectUri);
    const body = consentForm({
      action: '/oauth/authorize',
      clientName: client.name,
      clientUri: client.uri,
      userCode: null,
      leadsTo,
      roles: rolesUpTo(role),
      // Many clients ask for everything there is; a human who wants to give more than the least says so.
      suggested: 'agent',
      hidden: { ...Object.fromEntries(given), token },
      problem,
    });
    return sendPage(reply, problem === null ? 200 : 401, TITLE, body, leadsTo);
  }
}

function refuse(
  reply: FastifyReply,
  answer:
    | { readonly kind: 'page'; readonly message: string }
    | {
        readonly kind: 'redirect';
        readonly redirectUri: string;
        readonly state: string | null;
        readonly code: string;
        readonly message: string;
      },
  { issuer }: OAuthOrigin,
): FastifyReply {
  if (answer.kind === 'page') return sendPage(reply, 400, TITLE, `<p>${escapeHtml(answer.message)}</p>`);
  return redirect(reply, answer.redirectUri, { error: answer.code, error_description: answer.message, state: answer.state, iss: issuer });
}

/** The address was registered by the client; what is added to it is encoded. */
function redirect(reply: FastifyReply, redirectUri: string, parameters: Readonly<Record<string, string | null>>): FastifyReply {
  const url = new URL(redirectUri);
  for (const [name, value] of Object.entries(parameters)) if (value !== null) url.searchParams.set(name, value);
  return reply.code(303).headers({ location: url.href, 'referrer-policy': 'no-referrer', 'cache-control': 'no-store' }).send();
}

const askedOf = (fields: Readonly<Record<string, string | undefined>>): AuthorizationQuery =>
  Object.fromEntries(ASKED.flatMap((name) => (fields[name] === undefined ? [] : [[name, fields[name]]])));

/** `https://host`, or the scheme of an application: what a human can judge, and a policy of the page can name. */
function destinationOf(redirectUri: string): string {
  const { protocol, origin } = new URL(redirectUri);
  return protocol === 'https:' || protocol === 'http:' ? origin : protocol;
}

function roleOf(given: string | undefined, asked: Role): Role {
  return rolesUpTo(asked).find((role) => role === given) ?? 'agent';
}
