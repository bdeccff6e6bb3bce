import type { NewSkill, Skill, SkillLanguage, SkillSummary } from '@code-executor/contracts';
import { AppError } from '@code-executor/platform';
import { type Kysely, type Selectable, sql } from 'kysely';
import { storableText } from '../catalog/catalog-store.ts';
import type { ToolTables } from '../tables.ts';

type Row = Selectable<ToolTables['skills']>;

/** A skill to be written; `source`: what stands in its wrapper. */
export interface PreparedSkill extends NewSkill {
  readonly source: string;
  readonly origin: SkillSummary['origin'];
}

export interface SkillStore {
  /** The newest version of each name, removed ones too. */
  newest(): Promise<readonly Row[]>;
  /** null: there is none. */
  find(name: string, version?: number): Promise<Skill | null>;
  put(skill: PreparedSkill, createdBy: string | null): Promise<void>;
  /** Of a shipped skill a trace stays, so that the next start does not bring it back. */
  remove(name: string): Promise<void>;
}

/** Older versions of a skill go. */
const VERSIONS_KEPT = 20;

export function createSkillStore(db: Kysely<ToolTables>, workspaceId: string, now: () => number): SkillStore {
  const rowsOf = (name: string) => db.selectFrom('skills').selectAll().where('workspace_id', '=', workspaceId).where('name', '=', name);
  return {
    newest: () =>
      db
        .selectFrom('skills')
        .selectAll()
        .distinctOn('name')
        .where('workspace_id', '=', workspaceId)
        .orderBy('name')
        .orderBy('version', 'desc')
        .execute(),

    async find(name, version) {
      const rows = await rowsOf(name).orderBy('version', 'desc').execute();
      const [newest] = rows;
      if (newest === undefined || newest.removed) return null;
      const wanted = version === undefined ? newest : rows.find((row) => row.version === version);
      if (wanted === undefined) return null;
      return {
        ...summaryOf(wanted),
        code: JSON.parse(wanted.code) as string,
        parameters: JSON.parse(wanted.parameters) as Record<string, unknown>,
        versions: rows.filter(({ removed }) => !removed).map((row) => row.version),
      };
    },

    async put(skill, createdBy) {
      await db.transaction().execute(async (transaction) => {
        // One change of this name at a time, also where several services share the database.
        await sql`select pg_advisory_xact_lock(hashtext(${`skill ${workspaceId} ${skill.name}`}))`.execute(transaction);
        const { version: last } = await transaction
          .selectFrom('skills')
          .select((select) => select.fn.max('version').as('version'))
          .where('workspace_id', '=', workspaceId)
          .where('name', '=', skill.name)
          .executeTakeFirstOrThrow();
        const version = (last ?? 0) + 1;
        await transaction
          .insertInto('skills')
          .values({
            workspace_id: workspaceId,
            name: skill.name,
            version,
            language: skill.language,
            description: storableText(skill.description),
            // As JSON, which escapes what PostgreSQL's text does not take.
            code: JSON.stringify(skill.code),
            source: JSON.stringify(skill.source),
            parameters: JSON.stringify(skill.parameters ?? ANY_OBJECT),
            origin: skill.origin,
            created_by: createdBy,
            created_at: new Date(now()),
          })
          .execute();
        await transaction
          .deleteFrom('skills')
          .where('workspace_id', '=', workspaceId)
          .where('name', '=', skill.name)
          .where((where) => where.or([where('version', '<=', version - VERSIONS_KEPT), where('removed', '=', true)]))
          .execute();
      });
    },

    async remove(name) {
      const [newest] = await rowsOf(name).orderBy('version', 'desc').limit(1).execute();
      if (newest === undefined || newest.removed) throw skillNotFound(name);
      const shipped = await rowsOf(name).where('origin', '=', 'shipped').limit(1).execute();
      await db.transaction().execute(async (transaction) => {
        const gone = transaction.deleteFrom('skills').where('workspace_id', '=', workspaceId).where('name', '=', name);
        await (shipped.length === 0 ? gone : gone.where('version', '<', newest.version)).execute();
        await transaction
          .updateTable('skills')
          .set({ removed: true })
          .where('workspace_id', '=', workspaceId)
          .where('name', '=', name)
          .execute();
      });
    },
  };
}

export function summaryOf(row: Row): SkillSummary {
  return {
    name: row.name,
    version: row.version,
    language: row.language as SkillLanguage,
    description: row.description,
    origin: row.origin as SkillSummary['origin'],
    createdAt: row.created_at.toISOString(),
    createdBy: row.created_by,
  };
}

export const skillNotFound = (name: string, version?: number): AppError =>
  new AppError(
    'SKILL_NOT_FOUND',
    `There is no skill ${name}${version === undefined ? '' : ` of version ${version}`}; GET /skills lists them.`,
  );

const ANY_OBJECT = { type: 'object' };
