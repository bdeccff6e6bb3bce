import type { ToolDefinition } from '@code-executor/contracts';

const VERBS = ['get', 'list', 'create', 'update', 'delete', 'search', 'archive', 'export', 'import', 'merge'];
const NOUNS = ['issue', 'invoice', 'customer', 'branch', 'message', 'calendar_event', 'file', 'payment', 'user', 'deployment'];
const PARTS = ['label', 'comment', 'attachment', 'history', 'permission', 'webhook', 'template', 'report', 'setting', 'token'];

/** `count` distinct, plausible tools; `changed` gives the tool of that index another description. */
export function manyTools(server: string, count: number, changed?: number): ToolDefinition[] {
  return Array.from({ length: count }, (_, index) => {
    const verb = VERBS[index % 10] ?? '';
    const noun = NOUNS[Math.floor(index / 10) % 10] ?? '';
    const part = PARTS[Math.floor(index / 100) % 10] ?? '';
    const round = Math.floor(index / 1_000);
    const name = `${verb}_${noun}_${part}${round === 0 ? '' : `_${round}`}`;
    return {
      server,
      name,
      description: `${verb} the ${part} of a ${noun}, by its id${index === changed ? ' (changed)' : ''}. Answers what was found.`,
      inputSchema: {
        type: 'object',
        properties: {
          id: { type: 'string', description: `Id of the ${noun}` },
          limit: { type: 'integer', minimum: 1, maximum: 100, description: 'How many at most' },
          order: { enum: ['ascending', 'descending'] },
          filter: { type: 'object', properties: { since: { type: 'string', format: 'date-time' }, text: { type: 'string' } } },
        },
        required: ['id'],
      },
      annotations: { readOnlyHint: verb === 'get' || verb === 'list' || verb === 'search' },
    };
  });
}

/** So many questions, none of them asked before, as those of agents: what was counted for one answer is remembered for the same one. */
export function queries(count: number): string[] {
  return Array.from({ length: count }, (_, index) => {
    const [verb = '', noun = '', part = ''] = [VERBS[index % 10], NOUNS[Math.floor(index / 10) % 10], PARTS[Math.floor(index / 100) % 10]];
    const forms = [`${verb} ${noun} ${part}`, `${verb} the ${part} of a ${noun}`, `${misspelt(noun)} ${part} ${verb}`];
    return forms[index % forms.length] ?? '';
  });
}

const misspelt = (word: string): string => word.slice(0, 2) + word.slice(3);
