import { type Keys, type OAuthServer, readUserCode, rolesUpTo } from '@code-executor/executions';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { GatewayApp, RouteDeps } from '../../gateway-app.ts';
import { isFromOurForm, newFormToken, readFields } from './forms.ts';
import { originOf } from './origin.ts';
import { consentForm, escapeHtml, sendPage } from './pages.ts';
import { PUBLIC_ROUTE } from './public-route.ts';

const TITLE = 'Log a device in';
/** Wrong codes in a minute, whoever enters them: a code of 34 bits is not found by trying. */
const WRONG_CODES_LIMIT = 60;
const WINDOW_MS = 60_000;

/** RFC 8628: the page where a human enters the code that a device shows, and consents. */
export function registerDevice(app: GatewayApp, deps: RouteDeps, oauth: OAuthServer, keys: Keys): void {
  let wrongCodes = 0;
  let windowEndsMs = 0;

  app.get('/oauth/device', PUBLIC_ROUTE, async (request, reply) => {
    const given = readFields(request.query)?.user_code;
    return given === undefined ? enterCode(reply, null) : await ask(request, reply, given, null);
  });

  app.post('/oauth/device', PUBLIC_ROUTE, async (request, reply) => {
    const fields = readFields(request.body);
    if (fields === null || !isFromOurForm(request, fields.token)) {
      return sendPage(reply, 403, TITLE, '<p>This form was not filled in here, or has lain for too long. Enter the code anew.</p>');
    }
    const asked = await lookUp(fields.user_code ?? '', reply);
    if (asked === null) return reply;
    const { userCode } = asked;
    // A human says no with their key as well: who only saw the code over a shoulder decides nothing.
    const human = await keys.authenticate(fields.key?.trim() ?? '');
    if (human === null) return await ask(request, reply, userCode, 'This key is unknown, expired or revoked.');
    const role = fields.decision === 'approve' ? (rolesUpTo(asked.role).find((name) => name === fields.role) ?? 'agent') : null;
    const decided = await oauth.decideDevice(userCode, human, role);
    await deps.audit.record({
      type: 'oauth.device',
      principal: human,
      target: userCode,
      requestId: request.id,
      details: { client: asked.clientName, decision: role === null ? 'deny' : 'approve', ...(role === null ? {} : { role }) },
    });
    if (!decided) return enterCode(reply, 'The code has run out meanwhile.');
    return sendPage(
      reply,
      200,
      TITLE,
      `<p>${role === null ? 'Refused' : 'Done'}. You can close this window and go back to the device.</p>`,
    );
  });

  /** Null: it is answered; whichever way codes are tried, the wrong ones are counted. */
  async function lookUp(given: string, reply: FastifyReply): Promise<Awaited<ReturnType<OAuthServer['findDevice']>>> {
    if (Date.now() > windowEndsMs) {
      windowEndsMs = Date.now() + WINDOW_MS;
      wrongCodes = 0;
    }
    if (wrongCodes >= WRONG_CODES_LIMIT) {
      enterCode(reply, 'Too many wrong codes were entered here; try again in a minute.', 429);
      return null;
    }
    const userCode = readUserCode(given);
    const asked = userCode === null ? null : await oauth.findDevice(userCode);
    if (asked !== null) return asked;
    wrongCodes += 1;
    enterCode(reply, 'There is no such code, or it has run out.');
    return null;
  }

  async function ask(request: FastifyRequest, reply: FastifyReply, given: string, problem: string | null): Promise<FastifyReply> {
    const asked = await lookUp(given, reply);
    if (asked === null) return reply;
    const { userCode } = asked;
    const { issuer } = originOf(request, deps.config);
    const token = newFormToken(request, reply, issuer.startsWith('https:'));
    const body = consentForm({
      action: '/oauth/device',
      clientName: asked.clientName,
      clientUri: null,
      userCode,
      leadsTo: null,
      roles: rolesUpTo(asked.role),
      suggested: asked.role,
      hidden: { user_code: userCode, token },
      problem,
    });
    return sendPage(reply, problem === null ? 200 : 401, `${TITLE}: ${userCode}`, body);
  }
}

function enterCode(reply: FastifyReply, problem: string | null, status = 400): FastifyReply {
  const alert = problem === null ? '' : `<p class="no" role="alert">${escapeHtml(problem)}</p>`;
  const form =
    '<form method="get" action="/oauth/device" autocomplete="off"><label for="user_code">The code that the device shows</label><input id="user_code" name="user_code" maxlength="20" autofocus><button>Go on</button></form>';
  return sendPage(reply, problem === null ? 200 : status, TITLE, `${alert}${form}`);
}
