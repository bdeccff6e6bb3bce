import { type NewSkill, type Principal, type Role, SKILL_NAME, SKILLS_SERVER, type ToolDefinition } from '@code-executor/contracts';
import { createPreparer, shapeSkill } from '@code-executor/executions';
import { AppError } from '@code-executor/platform';
import { codeNames } from '@code-executor/wrappers';
import { assertServer } from '../calls/may-call.ts';
import type { Catalog } from '../catalog/catalog.ts';
import type { ServerLog } from '../sources/mcp/mcp-server.ts';
import type { Servers } from '../sources/servers.ts';
import { SHIPPED_SKILLS } from './library/shipped-skills.ts';
import { manageSkills } from './manage-skills.ts';
import type { SkillAdministration } from './port.ts';
import { type SkillStore, skillNotFound, summaryOf } from './skill-store.ts';

/** Names that one workspace may hold. */
const SKILLS_LIMIT = 500;

export interface SkillsDependencies {
  readonly store: SkillStore;
  readonly catalog: Catalog;
  readonly servers: Servers;
  /** Something has committed that other processes do not know of. */
  committed(): void;
  visibilityChanged(): void;
  /** Wrappers and search hold the present tools. */
  settled(): Promise<void>;
  readonly log: ServerLog;
}

export interface Skills {
  readonly administration: SkillAdministration;
  /** Takes over what is stored. Answers whether skills came to be, or ceased. */
  load(): Promise<boolean>;
  /** Saves those that come with the product, where they are new or have changed. */
  installShipped(): Promise<void>;
}

/** Skills stand in the catalog as the tools of one server, so that search, policies and wrappers know them like any other. */
export function createSkills({ store, catalog, servers, committed, visibilityChanged, settled, log }: SkillsDependencies): Skills {
  async function load(): Promise<boolean> {
    const rows = (await store.newest()).filter(({ removed }) => !removed);
    const taken = servers.all().get(SKILLS_SERVER);
    if (taken !== undefined && taken.kind !== SKILLS_SERVER) {
      log.warn({ server: SKILLS_SERVER }, 'A server is called "skills", so that skills cannot be used: give it another name');
      return false;
    }
    if (rows.length === 0) {
      if (taken === undefined) return false;
      await servers.remove(SKILLS_SERVER);
      await catalog.remove(SKILLS_SERVER, { forget: true });
      return true;
    }
    const definitions = rows.map(
      (row): ToolDefinition => ({
        server: SKILLS_SERVER,
        name: row.name,
        description: row.description,
        inputSchema: JSON.parse(row.parameters) as Record<string, unknown>,
        skill: { language: summaryOf(row).language, source: JSON.parse(row.source) as string },
      }),
    );
    await catalog.replace(
      SKILLS_SERVER,
      definitions.map((tool) => ({ tool })),
      true,
    );
    if (taken === undefined) servers.add(manageSkills());
    return taken === undefined;
  }

  async function changed(): Promise<void> {
    await load();
    committed();
    visibilityChanged();
    await settled();
  }

  return {
    load,
    administration: {
      async listSkills(principal, { limit, cursor }) {
        assertServer(principal, SKILLS_SERVER);
        const all = (await store.newest()).filter(({ removed }) => !removed);
        const items = all.filter(({ name }) => cursor === undefined || name > cursor).slice(0, limit);
        const last = items.at(-1);
        const isMore = last !== undefined && last.name !== all.at(-1)?.name;
        return { items: items.map(summaryOf), total: all.length, nextCursor: isMore ? last.name : null };
      },
      async getSkill(principal, name, version) {
        assertServer(principal, SKILLS_SERVER);
        const found = await store.find(name, version);
        if (found === null) throw skillNotFound(name, version);
        return found;
      },
      async saveSkill(principal, skill) {
        requireRole(principal);
        const source = await sourceOf(skill);
        const live = (await store.newest()).filter(({ removed }) => !removed);
        if (live.length >= SKILLS_LIMIT && !live.some(({ name }) => name === skill.name))
          throw new AppError('SKILL_LIMIT', `There are ${live.length} skills, and ${SKILLS_LIMIT} is the most; remove one first.`);
        await store.put({ ...skill, source, origin: 'api' }, principal.id);
        await changed();
        const saved = await store.find(skill.name);
        if (saved === null) throw skillNotFound(skill.name);
        return saved;
      },
      async removeSkill(principal, name) {
        requireRole(principal);
        await store.remove(name);
        await changed();
      },
    },
    async installShipped() {
      const known = new Map((await store.newest()).map((row) => [row.name, row]));
      let isChanged = false;
      for (const skill of SHIPPED_SKILLS) {
        const before = known.get(skill.name);
        // What an operator has saved over it, or removed, stays so.
        if (before !== undefined && (before.removed || before.origin !== 'shipped' || JSON.parse(before.code) === skill.code)) continue;
        await store.put({ ...skill, source: shippedSource(skill), origin: 'shipped' }, null);
        isChanged = true;
      }
      if (isChanged) await load();
    },
  };
}

function requireRole(principal: Principal): void {
  assertServer(principal, SKILLS_SERVER);
  const { role } = principal;
  const savers: readonly Role[] = ['operator', 'admin'];
  if (!savers.includes(role))
    throw new AppError('FORBIDDEN', 'Skills are saved and removed by operators and admins: every agent runs them.');
}

/** What its wrapper runs. @throws AppError SKILL_INVALID, with line and column where the code does not parse. */
async function sourceOf({ name, language, code }: NewSkill): Promise<string> {
  const inCode = codeNames([{ server: SKILLS_SERVER, name, description: '', inputSchema: true }]).get(`${SKILLS_SERVER}.${name}`);
  if (!SKILL_NAME.test(name) || inCode?.typescript !== name || inCode.python !== name)
    throw new AppError('SKILL_INVALID', `name: ${JSON.stringify(name.slice(0, 80))} is a word of TypeScript or Python; take another.`);
  if (language === 'python') return code;
  const preparer = createPreparer({ threads: 1 });
  try {
    const prepared = await preparer.prepare({ language, code, isSkill: true }, AbortSignal.timeout(30_000));
    if (prepared.ok) return prepared.code;
    const { message, line, column } = prepared.error;
    const place = line === undefined ? '' : ` (line ${line}, column ${column})`;
    throw new AppError('SKILL_INVALID', `code: ${message}${place}`, { details: { line, column } });
  } finally {
    await preparer.close();
  }
}

function shippedSource({ name, language, code }: NewSkill): string {
  if (language === 'python') return code;
  const shaped = shapeSkill(code);
  if (!shaped.ok) throw new AppError('INTERNAL', `The shipped skill ${name} does not parse: ${shaped.error.message}`);
  return shaped.code;
}
