import type { Command } from '../command/command.ts';

const script = async () => (await import('./deploy-script.ts')).runDeployScript;

/** Those of deploy.sh: it does the work, and its options and exit codes are its own. */
export const localCommands: readonly Command[] = [
  {
    name: 'up',
    summary: 'Start the service on this machine',
    words: '[options] …',
    openAfter: 0,
    details: "Runs './deploy.sh up' of the checkout that this CLI belongs to: --embedded or --docker say in which form.",
    examples: ['executor up', 'executor up --docker'],
    load: script,
  },
  {
    name: 'down',
    summary: 'Stop it',
    words: '[options] …',
    openAfter: 0,
    details: "Runs './deploy.sh down'.",
    examples: ['executor down'],
    load: script,
  },
  {
    name: 'status',
    summary: 'Whether it runs, where, and how it is',
    words: '[options] …',
    openAfter: 0,
    details: "Runs './deploy.sh status'; 'executor health' asks any service.",
    examples: ['executor status'],
    load: script,
  },
  {
    name: 'logs',
    summary: 'The end of its log',
    words: '[options] …',
    openAfter: 0,
    details: "Runs './deploy.sh logs'; -f follows.",
    examples: ['executor logs -f'],
    load: script,
  },
  {
    name: 'doctor',
    summary: 'Check every prerequisite, and say how to mend what fails',
    words: '[options] …',
    openAfter: 0,
    details: "Runs './deploy.sh doctor'.",
    examples: ['executor doctor'],
    load: script,
  },
  {
    name: 'service install',
    summary: 'Start the service with your session, by a systemd user unit',
    options: { 'no-start': { type: 'boolean', help: 'Write the unit and enable it, and do not start it now' } },
    details: "The unit runs './deploy.sh up --embedded' and 'down'. 'loginctl enable-linger' lets it run without a session.",
    examples: ['executor service install'],
    json: { schema: 'unit' },
    load: async () => (await import('./systemd-unit.ts')).installUnit,
  },
  {
    name: 'service status',
    summary: 'Whether the unit is there, enabled and running',
    examples: ['executor service status'],
    json: { schema: 'unit' },
    load: async () => (await import('./systemd-unit.ts')).showUnit,
  },
  {
    name: 'service uninstall',
    summary: 'Stop the service and take the unit away',
    examples: ['executor service uninstall'],
    json: { schema: 'unit' },
    load: async () => (await import('./systemd-unit.ts')).uninstallUnit,
  },
];
