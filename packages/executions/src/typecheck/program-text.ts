import ts from 'typescript';

/** The lines of a Markdown fence around a program become empty, so that every other line keeps its number. */
export function blankFences(code: string): string {
  const opening = /^(\s*)(`{3,}|~{3,})[^\n`]*\n/.exec(code);
  if (!opening) return code;
  const [whole, space = '', fence = ''] = opening;
  const rest = code.slice(whole.length);
  const closing = new RegExp(`^[ \\t]*\\${fence.charAt(0)}{${fence.length},}[ \\t]*\\s*$`, 'm').exec(rest);
  if (!closing || rest.slice(closing.index + closing[0].length).trim() !== '') return code;
  return `${space}\n${rest.slice(0, closing.index)}`;
}

/**
 * A program may return its result at top level. TypeScript leaves such a statement unchecked, but it checks a `throw`, which also ends what
 * follows; the two words are made equally long, so that no position shifts.
 */
export function topLevelReturnsAsThrows(code: string): string {
  if (!/\breturn\b/.test(code)) return code;
  const file = ts.createSourceFile('/program.ts', code, { languageVersion: ts.ScriptTarget.ESNext }, false, ts.ScriptKind.TS);
  const places: number[] = [];
  const visit = (node: ts.Node): void => {
    if (ts.isFunctionLike(node) || ts.isClassLike(node)) return;
    if (ts.isReturnStatement(node) && node.expression) places.push(node.expression.pos - 'return'.length);
    ts.forEachChild(node, visit);
  };
  visit(file);
  let text = code;
  for (const place of places) {
    if (text.startsWith('return', place)) text = `${text.slice(0, place)}throw ${text.slice(place + 'return'.length)}`;
  }
  return text;
}
