// A small issue tracker over HTTP, kept in memory: node issue-server.mjs [PORT]. Its document is at /openapi.json.
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';

const port = Number(process.argv[2] ?? 4010);
const document = {
  ...JSON.parse(readFileSync(new URL('./openapi.json', import.meta.url), 'utf8')),
  servers: [{ url: `http://127.0.0.1:${port}` }],
};
const issues = [];
open('The app crashes when I log in', 'Error 500 after the login page, every time.');
open('Please add a dark mode', 'It would be nice at night.');
open('App crashes at login', 'Same as #1: error 500.');
open('How do I export my data?', 'I cannot find it in the manual.');

createServer(async (request, response) => {
  const [status, body] = answer(request.method, new URL(request.url, 'http://localhost'), await bodyOf(request));
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
}).listen(port, '127.0.0.1', () => process.stdout.write(`The issue tracker listens at http://127.0.0.1:${port}\n`));

function answer(method, url, body) {
  const [, number, act] = /^\/issues\/(\d+)\/(labels|close)$/.exec(url.pathname) ?? [];
  if (url.pathname === '/openapi.json') return [200, document];
  if (body === null) return [400, { message: 'The body is no JSON.' }];
  if (url.pathname === '/issues' && method === 'POST') return [201, open(body.title, body.text ?? '')];
  if (url.pathname === '/issues') return [200, issues.filter(({ state }) => state === (url.searchParams.get('state') ?? state))];
  const issue = issues[number - 1];
  if (issue === undefined || method !== 'POST') return [404, { message: `There is no ${method} ${url.pathname}` }];
  if (act === 'labels') issue.labels = [...new Set([...issue.labels, ...body.labels])];
  else issue.state = 'closed';
  return [200, issue];
}

function open(title, text) {
  const issue = { number: issues.length + 1, title, text, state: 'open', labels: [] };
  issues.push(issue);
  return issue;
}

async function bodyOf(request) {
  let text = '';
  for await (const chunk of request) text += chunk;
  try {
    return text === '' ? {} : JSON.parse(text);
  } catch {
    return null; // Answered with 400.
  }
}
