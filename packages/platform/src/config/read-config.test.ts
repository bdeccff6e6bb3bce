import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { z } from 'zod';
import { readConfig, wholeNumber } from './read-config.ts';

const schema = z.object({
  EXECUTOR_PORT: wholeNumber({ min: 1, max: 65_535, unit: 'port' }).default(9091),
  EXECUTOR_HOST: z.string().default('127.0.0.1'),
  DATABASE_URL: z.string().optional(),
});
let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'config-'));
});
afterEach(() => rmSync(directory, { recursive: true }));

test('an empty environment gives the defaults, and so do empty values', () => {
  expect(readConfig(schema, {})).toEqual({ EXECUTOR_PORT: 9091, EXECUTOR_HOST: '127.0.0.1' });
  expect(readConfig(schema, { EXECUTOR_PORT: '' }).EXECUTOR_PORT).toBe(9091);
});

test('an unknown variable of ours is refused with the nearest known one', () => {
  expect(() => readConfig(schema, { EXECUTOR_PROT: '1' })).toThrow(
    'EXECUTOR_PROT is no variable of this service; did you mean EXECUTOR_PORT?',
  );
  expect(readConfig(schema, { PATH: '/bin' }).EXECUTOR_PORT).toBe(9091);
});

test('every wrong variable is named in one error', () => {
  const read = () => readConfig(schema, { EXECUTOR_PORT: '99999', EXECUTOR_NOPE_NOPE_NOPE: 'x' });
  expect(read).toThrow(/EXECUTOR_PORT: must be from 1 to 65535 port/);
  expect(read).toThrow(/EXECUTOR_NOPE_NOPE_NOPE is no variable/);
});

test('NAME_FILE gives the value from a file, and both at once are refused', () => {
  const file = join(directory, 'url');
  writeFileSync(file, 'postgres://db\n');
  expect(readConfig(schema, { DATABASE_URL_FILE: file }).DATABASE_URL).toBe('postgres://db');
  expect(() => readConfig(schema, { DATABASE_URL_FILE: file, DATABASE_URL: 'x' })).toThrow(
    'DATABASE_URL and DATABASE_URL_FILE are both set',
  );
  writeFileSync(`${file}.empty`, '\n');
  expect(readConfig(schema, { DATABASE_URL: 'x', EXECUTOR_PORT_FILE: `${file}.empty` }).EXECUTOR_PORT).toBe(9091);
  expect(() => readConfig(schema, { DATABASE_URL_FILE: `${file}.none` })).toThrow(/DATABASE_URL_FILE: cannot read/);
});
