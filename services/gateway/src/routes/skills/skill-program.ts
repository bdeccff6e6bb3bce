import { SKILLS_SERVER, type SkillLanguage } from '@code-executor/contracts';

export const isSkill = (server: string): boolean => server === SKILLS_SERVER;

/** The program that runs one skill, whose result is the outcome. What the skill itself throws ends the program as it ends any other. */
export function skillProgram({ name, language, code }: { name: string; language: SkillLanguage; code: string }, args: unknown) {
  return {
    code: language === 'python' ? python(name, code) : typescript(name),
    language,
    args: { arguments: args },
    timeoutMs: TIMEOUT_MS,
  };
}

const TIMEOUT_MS = 300_000;

const typescript = (name: string): string => `import { ${name} as skill } from '/workspace/servers/skills/${name}.js';
try {
  return { value: (await skill(args.arguments)) ?? null };
} catch (error) {
  if (error instanceof ToolError) return { code: error.code, message: error.message };
  throw error;
}`;

/** One that awaits what is not a tool needs an event loop, which programs get that name asyncio. */
const python = (name: string, code: string): string => `${/\basync\b|\bawait\b|\basyncio\b/.test(code) ? 'import asyncio\n' : ''}
from servers.skills import ${name} as skill
try:
    value = skill(**args["arguments"])
    if hasattr(value, "__await__"):
        value = await value
    result = {"value": value}
except ToolError as error:
    result = {"code": error.code, "message": error.message}
result`;
