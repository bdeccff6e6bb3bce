export type SkillLanguage = 'typescript' | 'python';

export interface NewSkill {
  /** a–z, 0–9 and _, a letter first. */
  readonly name: string;
  readonly description: string;
  readonly language: SkillLanguage;
  /** A program; what it is given is `args`. */
  readonly code: string;
  /** JSON Schema of `args`. */
  readonly parameters?: Readonly<Record<string, unknown>>;
}

export interface SkillSummary {
  readonly name: string;
  readonly version: number;
  readonly language: SkillLanguage;
  readonly description: string;
  /** `shipped`: it came with the product. */
  readonly origin: 'api' | 'shipped';
  readonly createdAt: string;
  readonly createdBy: string | null;
}

export interface Skill extends SkillSummary {
  readonly code: string;
  readonly parameters: Readonly<Record<string, unknown>>;
  /** Those that are kept, newest first. */
  readonly versions: readonly number[];
}
