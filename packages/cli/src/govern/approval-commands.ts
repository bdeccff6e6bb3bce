import type { Command, Option } from '../command/command.ts';

const verdict: Readonly<Record<string, Option>> = {
  scope: { type: 'string', value: 'SCOPE', help: 'once (the default), execution (every call of this tool in it), or always (a policy)' },
  reason: { type: 'string', short: 'r', value: 'TEXT', help: 'Why; the program sees it' },
};

export const approvalCommands: readonly Command[] = [
  {
    name: 'approvals list',
    summary: 'What waits for a decision',
    options: {
      all: { type: 'boolean', help: 'Also what was decided' },
      limit: { type: 'string', value: 'N', help: 'At most so many; 50 by default' },
    },
    examples: ['executor approvals list'],
    json: { operation: 'GET /approvals' },
    load: async () => (await import('./approvals.ts')).listApprovals,
  },
  {
    name: 'approvals show',
    summary: 'One approval with its arguments',
    words: '<id>',
    examples: ['executor approvals show apr_…'],
    json: { operation: 'GET /approvals/{id}' },
    load: async () => (await import('./approvals.ts')).showApproval,
  },
  {
    name: 'approvals watch',
    summary: 'Wait for approvals and decide on each',
    options: { once: { type: 'boolean', help: 'End after the first' } },
    details:
      'On a terminal each is shown and answered with a (approve), d (deny) or s (skip); elsewhere, and with --json, each is printed on a line.',
    examples: ['executor approvals watch', 'executor approvals watch --once --json'],
    json: { operation: 'GET /approvals/{id}' },
    load: async () => (await import('./watch-approvals.ts')).watchApprovals,
  },
  {
    name: 'approvals approve',
    summary: 'Let a call through',
    words: '<id>',
    options: verdict,
    examples: ['executor approvals approve apr_…', 'executor approvals approve apr_… --scope execution'],
    json: { operation: 'POST /approvals/{id}' },
    load: async () => (await import('./approvals.ts')).approve,
  },
  {
    name: 'approvals deny',
    summary: 'Refuse a call',
    words: '<id>',
    options: { reason: verdict.reason as Option },
    examples: ["executor approvals deny apr_… --reason 'not on a Friday'"],
    json: { operation: 'POST /approvals/{id}' },
    load: async () => (await import('./approvals.ts')).deny,
  },
  {
    name: 'resume',
    summary: 'Decide on what a paused execution waits for, and follow it to its end',
    words: '<execution>',
    options: {
      approve: { type: 'boolean', help: 'Let the call through' },
      deny: { type: 'boolean', help: 'Refuse it' },
      ...verdict,
    },
    examples: ['executor resume exe_… --approve', 'executor resume exe_…'],
    json: { operation: 'GET /executions/{id}' },
    load: async () => (await import('./resume-execution.ts')).resumeExecution,
  },
];
