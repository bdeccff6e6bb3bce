import type { NewSkill, Principal, Skill, SkillSummary } from '@code-executor/contracts';

export interface SkillPageQuery {
  readonly limit: number;
  /** The name after which the page begins. */
  readonly cursor?: string | undefined;
}

export interface SkillPage {
  readonly items: readonly SkillSummary[];
  readonly total: number;
  readonly nextCursor: string | null;
}

/** Programs that are kept under a name. Agents read and run them; operators and admins save and remove them. */
export interface SkillAdministration {
  /** By name, the newest version of each. */
  listSkills(principal: Principal, page: SkillPageQuery): Promise<SkillPage>;
  /** @throws AppError SKILL_NOT_FOUND */
  getSkill(principal: Principal, name: string, version?: number): Promise<Skill>;
  /** One of the same name becomes its next version. @throws AppError SKILL_INVALID, SKILL_LIMIT, FORBIDDEN */
  saveSkill(principal: Principal, skill: NewSkill): Promise<Skill>;
  /** With every version. @throws AppError SKILL_NOT_FOUND, FORBIDDEN */
  removeSkill(principal: Principal, name: string): Promise<void>;
}
