import { STATUS_CODES } from 'node:http';
import { isRecord } from '../document/is-record.ts';
import { plainText } from '../document/plain-text.ts';

const LONGEST = 800;

/** Why an upstream refused, from the places where its answer may say so: `HTTP 404: Not Found`. */
export function errorMessage(status: number, value: unknown): string {
  const said = plainText(messageIn(value, 0), LONGEST).replace(/\s*\n\s*/g, ' ');
  return `HTTP ${status}: ${said === '' ? (STATUS_CODES[status] ?? 'the upstream refused the request') : said}`;
}

function messageIn(value: unknown, depth: number): string {
  if (typeof value === 'string') return /^\s*<(?:!doctype|html)/i.test(value) ? (/<title>([^<]{1,300})/i.exec(value)?.[1] ?? '') : value;
  if (depth > 8) return '';
  if (Array.isArray(value)) return messageIn(value[0], depth + 1);
  if (!isRecord(value)) return '';
  const title = textIn(value.title);
  const detail = textIn(value.detail);
  if (title !== '' || detail !== '') return [title, detail].filter((part) => part !== '').join(': ');
  for (const key of [
    'message',
    'error_description',
    'error_message',
    'errorMessage',
    'error',
    'errors',
    'msg',
    'description',
    'reason',
    'fault',
    'detail',
  ]) {
    const found = Object.hasOwn(value, key) ? messageIn(value[key], depth + 1) : '';
    if (found !== '') return found;
  }
  return '';
}

const textIn = (value: unknown): string => (typeof value === 'string' ? value : '');
