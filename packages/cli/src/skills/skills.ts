import { type Handler, UsageError } from '../command/command.ts';
import { jsonObject, textOption, wholeNumber } from '../command/option-values.ts';
import { readProgram } from '../run/read-program.ts';
import { table } from '../terminal/columns.ts';
import { oneLine, safeText } from '../terminal/safe-text.ts';

export const listSkills: Handler = async (context) => {
  const page = await (await context.client()).skills.list({ limit: 1_000 }, { signal: context.signal });
  context.answer(page, ({ items }) =>
    table(
      ['name', 'version', 'language', 'origin', 'description'],
      items.map((skill) => [skill.name, String(skill.version), skill.language, skill.origin, oneLine(skill.description, 90)]),
      'There are no skills: executor skills save NAME FILE keeps a program.',
    ),
  );
  return 0;
};

export const showSkill: Handler = async (context, { words: [name = ''], options }) => {
  const version = wholeNumber(options.version, '--version', 1_000_000);
  const client = await context.client();
  const skill = await client.skills.get(name, version === undefined ? {} : { version }, { signal: context.signal });
  context.answer(skill, ({ description, language, parameters, code, ...rest }) => {
    const heading = `${rest.name} (version ${rest.version} of ${rest.versions.join(', ')}; ${language})`;
    return `${heading}\n${safeText(description)}\n\nparameters  ${safeText(JSON.stringify(parameters))}\n\n${safeText(code)}`;
  });
  return 0;
};

export const saveSkill: Handler = async (context, { words: [name = '', path = ''], options }) => {
  const description = textOption(options.description);
  if (description === undefined) throw new UsageError('--description is missing: say what the skill does, and when to use it.');
  const { code, language } = readProgram(path, textOption(options.language), context.terminal);
  if (language === 'node') throw new UsageError('A skill is written in typescript, which Node runs too, or in python.');
  const parameters = textOption(options.parameters);
  const skill = await (await context.client()).skills.save(
    { name, description, language, code, ...(parameters === undefined ? {} : { parameters: jsonObject(parameters, '--parameters') }) },
    { signal: context.signal },
  );
  context.answer(skill, ({ version }) => `Saved ${name}, version ${version}.`);
  return 0;
};

export const deleteSkill: Handler = async (context, { words: [name = ''] }) => {
  await (await context.client()).skills.remove(name, { signal: context.signal });
  context.answer({ done: true, target: name }, () => `Removed ${name}.`);
  return 0;
};

export const runSkill: Handler = async (context, { words: [name = '', json] }) => {
  const args = json === undefined ? {} : jsonObject(json, 'The arguments');
  const answer = await (await context.client()).tools.invoke('skills', name, args, { signal: context.signal });
  context.answer(answer, ({ result }) => (typeof result === 'string' ? safeText(result) : JSON.stringify(result ?? null, null, 2)));
  return 0;
};
