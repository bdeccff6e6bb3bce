import { createHash } from 'node:crypto';
import type { Role } from '@code-executor/contracts';
import type { FastifyReply } from 'fastify';

const STYLE =
  'body{font:16px/1.5 system-ui,sans-serif;max-width:34rem;margin:10vh auto;padding:0 1rem;color:#1b1f24;background:#fff}h1{font-size:1.3rem}' +
  'dl{display:grid;grid-template-columns:auto 1fr;gap:.3rem 1rem;margin:1.2rem 0}dt{color:#57606a}dd{margin:0;overflow-wrap:anywhere}' +
  'label{display:block;margin:.8rem 0 .2rem}input,select{font:inherit;width:100%;padding:.4rem;box-sizing:border-box}' +
  'button{font:inherit;padding:.5rem 1.2rem;margin:1.2rem .6rem 0 0;cursor:pointer}.no{color:#b42318}.warn{background:#fff4ce;padding:.6rem .8rem}' +
  '@media(prefers-color-scheme:dark){body{color:#e6edf3;background:#0d1117}.warn{background:#3d3200}}';
const STYLE_HASH = createHash('sha256').update(STYLE).digest('base64');

/** What each role lets its holder do, in a sentence for who consents. */
const ROLE_MEANINGS: Readonly<Record<Role, string>> = {
  agent: 'agent: run programs and call tools, under your policies',
  operator: 'operator: that, see what others ran, and decide on approvals',
  admin: 'admin: everything, keys and credentials included',
};

/** Where the answer of a form may lead the browser: this service, and where it then redirects. */
export function sendPage(reply: FastifyReply, status: number, title: string, body: string, leadsTo: string | null = null): FastifyReply {
  const formAction = leadsTo === null ? "'self'" : `'self' ${leadsTo}`;
  return reply
    .code(status)
    .headers({
      'content-type': 'text/html; charset=utf-8',
      'content-security-policy': `default-src 'none'; style-src 'sha256-${STYLE_HASH}'; form-action ${formAction}; frame-ancestors 'none'; base-uri 'none'`,
      'x-frame-options': 'DENY',
      'referrer-policy': 'no-referrer',
      'cache-control': 'no-store',
    })
    .send(
      `<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>${escapeHtml(title)}</title><style>${STYLE}</style></head><body><h1>${escapeHtml(title)}</h1>${body}</body></html>`,
    );
}

export interface ConsentForm {
  readonly action: string;
  readonly clientName: string;
  readonly clientUri: string | null;
  /** What the device of the human has to show; null: there is none. */
  readonly userCode: string | null;
  /** Where the browser goes afterwards; null: nowhere. */
  readonly leadsTo: string | null;
  readonly roles: readonly Role[];
  /** What is chosen unless the human chooses something else. */
  readonly suggested: Role;
  readonly hidden: Readonly<Record<string, string>>;
  /** Why it is shown again. */
  readonly problem: string | null;
}

export function consentForm({ action, clientName, clientUri, userCode, leadsTo, roles, suggested, hidden, problem }: ConsentForm): string {
  const asked = roles.at(-1) ?? 'agent';
  const fields = Object.entries(hidden).map(
    ([name, value]) => `<input type="hidden" name="${escapeHtml(name)}" value="${escapeHtml(value)}">`,
  );
  const options = roles.map(
    (role) => `<option value="${role}"${role === suggested ? ' selected' : ''}>${escapeHtml(ROLE_MEANINGS[role])}</option>`,
  );
  const rows = [
    ['Application', clientName],
    ...(clientUri === null ? [] : [['It says it is at', clientUri]]),
    ...(leadsTo === null ? [] : [['You are sent to', leadsTo]]),
    ['It asks for', ROLE_MEANINGS[asked]],
  ];
  return `${problem === null ? '' : `<p class="no" role="alert">${escapeHtml(problem)}</p>`}
<p>An application asks to use this code executor in your name.</p>
<dl>${rows.map(([term = '', value = '']) => `<dt>${escapeHtml(term)}</dt><dd>${escapeHtml(value)}</dd>`).join('')}</dl>
<p class="warn">Anybody can give an application any name. Go on only if you have just asked for this yourself${
    userCode === null
      ? ''
      : ` and the device in front of you shows ${escapeHtml(userCode)}: with a code that somebody sent you, it is them you let in`
  }.</p>
<form method="post" action="${escapeHtml(action)}" autocomplete="off">${fields.join('')}
<label for="role">It may be</label><select id="role" name="role">${options.join('')}</select>
<label for="key">Your API key; it never gets more than this key may</label><input id="key" name="key" type="password" autocomplete="off" spellcheck="false">
<button name="decision" value="approve">Let it in</button><button name="decision" value="deny">Refuse</button></form>`;
}

export function escapeHtml(text: string): string {
  return (
    text
      .replaceAll('&', '&amp;')
      .replaceAll('<', '&lt;')
      .replaceAll('>', '&gt;')
      .replaceAll('"', '&quot;')
      .replaceAll("'", '&#39;')
      // What would turn or hide the text beside it is shown as what it is.
      .replaceAll(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, (sign) => `\\u{${(sign.codePointAt(0) ?? 0).toString(16)}}`)
  );
}
