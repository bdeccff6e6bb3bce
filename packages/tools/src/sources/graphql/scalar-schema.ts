/** JSON Schemas of the scalars that have a meaning of their own. Any other one may be any JSON value: the schema does not say. */
const SCALARS: Readonly<Record<string, Readonly<Record<string, unknown>>>> = {
  String: { type: 'string' },
  Boolean: { type: 'boolean' },
  Int: { type: 'integer', minimum: -2_147_483_648, maximum: 2_147_483_647 },
  Float: { type: 'number' },
  ID: { type: ['string', 'integer'] },
  Date: { type: 'string', description: 'A date such as 2024-01-31' },
  DateTime: { type: 'string', description: 'A time such as 2024-01-31T12:00:00Z' },
  DateTimeISO: { type: 'string', description: 'A time such as 2024-01-31T12:00:00Z' },
  Timestamp: { type: ['string', 'integer'] },
  Time: { type: 'string' },
  Duration: { type: 'string' },
  UUID: { type: 'string' },
  GUID: { type: 'string' },
  URI: { type: 'string' },
  URL: { type: 'string' },
  Email: { type: 'string' },
  EmailAddress: { type: 'string' },
  HTML: { type: 'string' },
  Markdown: { type: 'string' },
  Base64String: { type: 'string' },
  JSONString: { type: 'string', description: 'JSON as text' },
  BigInt: { type: ['integer', 'string'] },
  Long: { type: ['integer', 'string'] },
  Decimal: { type: ['number', 'string'] },
  PositiveDecimal: { type: ['number', 'string'] },
  BigDecimal: { type: ['number', 'string'] },
};

export const FILE_SCALAR = 'Upload';
/** How a file is given: it travels beside the request, not in it. */
const FILE_SCHEMA = {
  type: 'object',
  description: 'A file',
  properties: { filename: { type: 'string' }, contentType: { type: 'string' }, base64: { type: 'string', description: 'Its bytes' } },
  required: ['filename', 'base64'],
  additionalProperties: false,
};

export function scalarSchema(name: string, description: string | null | undefined): Readonly<Record<string, unknown>> {
  if (name === FILE_SCALAR) return FILE_SCHEMA;
  const known = Object.hasOwn(SCALARS, name) ? SCALARS[name] : undefined;
  if (known !== undefined) return known;
  const said = (description ?? '').replace(/\s+/g, ' ').trim();
  return { description: said === '' ? name : `${name}: ${said.slice(0, 200)}` };
}
