import type { BodyBinding, PartEncoding } from '../binding.ts';
import { isRecord } from '../document/is-record.ts';
import { filePart } from './file-part.ts';
import { multipartBody, type Part } from './multipart.ts';
import { encodeValue } from './percent-encoding.ts';
import { deepPairs, invalid, type Pair, pairsOf } from './serialize-parameter.ts';

export interface EncodedBody {
  readonly contentType: string;
  readonly body: string | Uint8Array;
}

/** The argument `body` as its media type has it. @throws AppError INVALID_ARGUMENTS */
export function encodeBody(binding: BodyBinding, value: unknown): EncodedBody {
  const { contentType } = binding;
  switch (binding.kind) {
    case 'json':
      return { contentType, body: JSON.stringify(value) };
    case 'form':
      return { contentType, body: formText(binding, value) };
    case 'multipart': {
      const { body, boundary } = multipartBody(formParts(binding, value));
      return { contentType: `${contentType.split(';')[0]}; boundary=${boundary}`, body };
    }
    case 'related':
      return relatedBody(contentType, value);
    case 'text':
      return { contentType, body: typeof value === 'string' ? value : JSON.stringify(value) };
    case 'binary': {
      const file = filePart(value, 'body');
      if (file !== null) return { contentType: file.contentType ?? contentType, body: file.bytes };
      if (typeof value === 'string') return { contentType, body: value };
      throw invalid('body', 'is to be text, or {base64} for bytes');
    }
  }
}

function formText(binding: BodyBinding, value: unknown): string {
  if (typeof value === 'string') return value;
  if (!isRecord(value)) throw invalid('body', 'is to be an object of form fields');
  return Object.entries(value)
    .flatMap(([name, field]) => (field === undefined ? [] : formPairs(name, field, encodingOf(binding, name))))
    .map(([name, field]) => `${name}=${field}`)
    .join('&');
}

function formPairs(name: string, value: unknown, encoding: PartEncoding | undefined): Pair[] {
  if (encoding?.contentType !== undefined && /json/i.test(encoding.contentType) && encoding.style === undefined) {
    return [[encodeValue(name), encodeValue(JSON.stringify(value))]];
  }
  if (value === null) return [[encodeValue(name), '']];
  const style = encoding?.style ?? 'form';
  // Objects are nested by default: servers that read forms know brackets, hardly one the bare names of `explode`.
  if (encoding?.style === undefined && isRecord(value)) return deepPairs(name, value);
  return pairsOf(
    { name, argument: 'body', style, explode: encoding?.explode ?? style === 'form', allowReserved: encoding?.allowReserved },
    value,
  );
}

function formParts(binding: BodyBinding, value: unknown): Part[] {
  if (!isRecord(value)) throw invalid('body', 'is to be an object of form fields');
  return Object.entries(value).flatMap(([name, field]) => {
    if (field === undefined || field === null) return [];
    const encoding = encodingOf(binding, name);
    // A list goes as parts of one name, unless it is declared otherwise.
    const isJoined = encoding?.explode === false || (encoding?.contentType !== undefined && /json/i.test(encoding.contentType));
    if (Array.isArray(field) && !isJoined) return field.map((item) => formPart(name, item, encoding));
    return encoding?.style !== undefined && typeof field === 'object' && filePart(field, name) === null
      ? styledParts(name, field, encoding)
      : [formPart(name, field, encoding)];
  });
}

/** Fields with a `style` are those that a form would have, unescaped. */
const styledParts = (name: string, value: unknown, encoding: PartEncoding): Part[] =>
  formPairs(name, value, encoding).map(([key, text]) => ({ name: decodeURIComponent(key), body: decodeURIComponent(text) }));

function formPart(name: string, value: unknown, encoding: PartEncoding | undefined): Part {
  const file = filePart(value, name);
  if (file !== null) {
    return {
      name,
      filename: file.filename ?? name,
      contentType: file.contentType ?? encoding?.contentType ?? 'application/octet-stream',
      body: file.bytes,
    };
  }
  if (typeof value === 'object' && value !== null)
    return { name, contentType: encoding?.contentType ?? 'application/json', body: JSON.stringify(value) };
  return { name, contentType: encoding?.contentType ?? null, body: String(value) };
}

function relatedBody(contentType: string, value: unknown): EncodedBody {
  if (!isRecord(value)) throw invalid('body', 'is to be {metadata?, file}');
  const file = filePart(value.file, 'file') ?? {
    bytes: Buffer.from(String(value.file ?? '')),
    filename: null,
    contentType: 'text/plain; charset=utf-8',
  };
  const { body, boundary } = multipartBody([
    { name: null, contentType: 'application/json; charset=utf-8', body: JSON.stringify(value.metadata ?? {}) },
    { name: null, contentType: file.contentType ?? 'application/octet-stream', body: file.bytes },
  ]);
  return { contentType: `${contentType.split(';')[0]}; boundary=${boundary}`, body };
}

const encodingOf = ({ encoding }: BodyBinding, name: string): PartEncoding | undefined =>
  encoding !== undefined && Object.hasOwn(encoding, name) ? encoding[name] : undefined;
