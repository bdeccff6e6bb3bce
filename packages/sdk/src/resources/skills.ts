import { segment, sendForJson } from '../http/json.ts';
import type { RequestOptions, Send } from '../http/send.ts';
import type { Page } from '../types/page.ts';
import type { NewSkill, Skill, SkillSummary } from '../types/skill.ts';

export interface Skills {
  list(query?: { readonly limit?: number; readonly cursor?: string }, options?: RequestOptions): Promise<Page<SkillSummary>>;
  get(name: string, query?: { readonly version?: number }, options?: RequestOptions): Promise<Skill>;
  /** One of the same name becomes its next version. */
  save(skill: NewSkill, options?: RequestOptions): Promise<Skill>;
  remove(name: string, options?: RequestOptions): Promise<void>;
}

export function skillsOf(send: Send): Skills {
  const pathOf = (name: string): string => `/skills/${segment(name)}`;
  return {
    list: (query, options) => sendForJson(send, { method: 'GET', path: '/skills', query: { ...query }, options }),
    get: (name, query, options) => sendForJson(send, { method: 'GET', path: pathOf(name), query: { ...query }, options }),
    save: (skill, options) => sendForJson(send, { method: 'POST', path: '/skills', body: skill, options }),
    remove: (name, options) => sendForJson(send, { method: 'DELETE', path: pathOf(name), options }),
  };
}
