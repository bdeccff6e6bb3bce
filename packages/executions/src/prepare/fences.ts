/**
 * The one program of a text whose first line opens a Markdown fence. Fence lines and what follows the block become empty
 * lines, so that every line of the program keeps its number. A text without a fence is given back as it is.
 */
export function withoutLeadingFence(text: string): string {
  const opening = /^\s*(`{3,}|~{3,})[^\n`]*(?:\n|$)/.exec(text);
  if (opening === null) return text;
  const block = blockAfter(text, opening[1] ?? '', opening[0].length);
  return blankLines(opening[0]) + block.body;
}

/**
 * The program of a text that has prose around exactly one fenced block; null where there is none or more than one. Only for
 * texts that are no program as they stand: a template literal may hold a fence as well.
 */
export function onlyFencedBlock(text: string): string | null {
  const opening = /^[ \t]*(`{3,}|~{3,})[^\n`]*\n/m.exec(text);
  if (opening === null) return null;
  const start = opening.index + opening[0].length;
  const block = blockAfter(text, opening[1] ?? '', start);
  if (/^[ \t]*(`{3,}|~{3,})/m.test(text.slice(block.end))) return null;
  return blankLines(text.slice(0, start)) + block.body;
}

/** From `start` to the line that closes the fence, or to the end where none does; `end` is behind the closing line. */
function blockAfter(text: string, fence: string, start: number): { readonly body: string; readonly end: number } {
  const rest = text.slice(start);
  const closing = new RegExp(`^[ \\t]*\\${fence.charAt(0)}{${fence.length},}[ \\t]*\\r?$`, 'm').exec(rest);
  if (closing === null) return { body: rest, end: text.length };
  return { body: rest.slice(0, closing.index), end: start + closing.index + closing[0].length };
}

const blankLines = (text: string): string => text.replace(/[^\n]/g, '');
