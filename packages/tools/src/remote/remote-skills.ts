import type { SkillAdministration } from '../skills/port.ts';
import type { Ask } from './remote-ask.ts';

export const remoteSkills = (read: Ask, change: Ask): SkillAdministration => ({
  listSkills: (principal, page) => read('listSkills', principal, page),
  getSkill: (principal, name, version) => read('getSkill', principal, name, ...(version === undefined ? [] : [version])),
  saveSkill: (principal, skill) => change('saveSkill', principal, skill),
  removeSkill: (principal, name) => change('removeSkill', principal, name),
});
