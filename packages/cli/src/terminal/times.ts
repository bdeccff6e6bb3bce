const UNITS: readonly (readonly [string, number])[] = [
  ['d', 86_400],
  ['h', 3_600],
  ['min', 60],
  ['s', 1],
];

function span(ms: number): string {
  const seconds = Math.max(0, Math.round(ms / 1_000));
  const [unit, size] = UNITS.find(([, length]) => seconds >= length) ?? ['s', 1];
  return `${Math.floor(seconds / size)} ${unit}`;
}

export const ago = (iso: string): string => `${span(Date.now() - Date.parse(iso))} ago`;

export const until = (iso: string): string => (Date.parse(iso) <= Date.now() ? 'now' : `in ${span(Date.parse(iso) - Date.now())}`);
