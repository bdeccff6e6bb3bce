import { isRecord } from '../document/is-record.ts';
import { invalid } from './serialize-parameter.ts';

export interface FilePart {
  readonly bytes: Uint8Array;
  readonly filename: string | null;
  readonly contentType: string | null;
}

/** A file as a program gives it: text, or `{base64}` or `{text}` with name and type. Null: it is some other value. @throws AppError INVALID_ARGUMENTS */
export function filePart(value: unknown, argument: string): FilePart | null {
  if (!isRecord(value)) return null;
  const { base64, text, filename, contentType } = value;
  if (typeof base64 !== 'string' && typeof text !== 'string') return null;
  if (Object.keys(value).some((key) => !['base64', 'text', 'filename', 'contentType', 'bytes'].includes(key))) return null;
  return {
    bytes: typeof base64 === 'string' ? decoded(base64, argument) : Buffer.from(String(text)),
    filename: typeof filename === 'string' && filename !== '' ? filename.slice(0, 255) : null,
    contentType: typeof contentType === 'string' ? mediaType(contentType, argument) : null,
  };
}

function decoded(base64: string, argument: string): Uint8Array {
  const text = base64.replace(/[\r\n\t ]/g, '');
  if (!/^[A-Za-z0-9+/_-]*={0,2}$/.test(text)) throw invalid(argument, 'is no base64: it holds other characters');
  return Buffer.from(text, 'base64');
}

function mediaType(text: string, argument: string): string {
  if (!/^[\w!#$&^.+-]+\/[\w!#$&^.+-]+(?:\s*;\s*[\w-]+=(?:[\w!#$&^.+-]+|"[\w!#$&^.+ :/-]*"))*$/.test(text) || text.length > 200) {
    throw invalid(argument, `has ${JSON.stringify(text.slice(0, 80))} for a contentType, which is no media type`);
  }
  return text;
}
