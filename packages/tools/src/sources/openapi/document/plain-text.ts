/** Tags that descriptions are written with; what else stands in angle brackets may be a placeholder. */
const TAG = /<\/?(?:p|a|b|i|em|strong|code|pre|br|ul|ol|li|h[1-6]|span|div|table|tr|td|th|tbody|thead)\b[^<>]{0,500}>/gi;

/** Foreign prose without markup and control characters, of at most `longest` characters. */
export function plainText(text: unknown, longest: number): string {
  if (typeof text !== 'string' || text === '') return '';
  const plain = text
    .slice(0, longest * 4)
    .replace(TAG, '')
    .replace(/\r\n?/g, '\n')
    // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what this takes out
    .replace(/[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u200b-\u200f\u202a-\u202e\u2066-\u2069\ufeff]/g, ' ')
    .replace(/[ ]{2,}/g, ' ')
    .replace(/ ?\n{2,} ?/g, '\n\n')
    .trim();
  return plain.length <= longest ? plain.toWellFormed() : `${plain.slice(0, longest - 1).trimEnd()}…`.toWellFormed();
}
