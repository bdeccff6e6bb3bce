const LONGEST_LINE = 88;

/** The first sentence of a description, on one line of at most 88 characters, cut between words. */
export function oneLine(description: string): string {
  const text = description
    .slice(0, 2_000)
    .replace(/```[\s\S]*?(```|$)/g, ' ')
    // Markdown's signs cost tokens and say nothing on one line.
    .replace(/[*`#>|]+/g, ' ')
    .replace(/\p{Cc}|\p{Cf}|\s/gu, ' ')
    .replace(/ {2,}/g, ' ')
    .trim();
  const sentence = (/^.*?[.!?:;](?= |$)/.exec(text)?.[0] ?? text).replace(/[.!?:;,\s]+$/, '');
  if (sentence.length <= LONGEST_LINE) return sentence;
  const cut = sentence.lastIndexOf(' ', LONGEST_LINE - 1);
  const head = sentence.slice(0, cut > LONGEST_LINE / 2 ? cut : LONGEST_LINE - 1);
  return `${head.toWellFormed().replace(/[\s,;:(\u2014-]+$/, '')}…`;
}
