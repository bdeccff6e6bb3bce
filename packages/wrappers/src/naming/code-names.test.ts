import type { ToolDefinition } from '@code-executor/contracts';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { hostileName } from '../testing/hostile-tools.ts';
import { codeAddresses, codeNames, serverNames, toolNames } from './code-names.ts';

const TYPESCRIPT_NAME = /^[A-Za-z_$][A-Za-z0-9_$]{0,120}$/;
const PYTHON_NAME = /^[A-Za-z_][A-Za-z0-9_]{0,120}$/;

const tool = (server: string, name: string): ToolDefinition => ({ server, name, description: '', inputSchema: {} });

describe('names in code', () => {
  test('a raw name that is an identifier stays as it is, punctuation becomes an underscore', () => {
    const names = toolNames(['read_text_file', 'get-sum', 'issues.list', 'camelCase']);
    expect(Object.fromEntries(names)).toEqual({
      read_text_file: { typescript: 'read_text_file', python: 'read_text_file' },
      'get-sum': { typescript: 'get_sum', python: 'get_sum' },
      'issues.list': { typescript: 'issues_list', python: 'issues_list' },
      camelCase: { typescript: 'camelCase', python: 'camelCase' },
    });
  });

  test('words of one language are respelled in that language only', () => {
    expect(toolNames(['delete', 'from', 'class']).get('delete')).toEqual({ typescript: 'delete_', python: 'delete' });
    expect(toolNames(['delete', 'from', 'class']).get('from')).toEqual({ typescript: 'from', python: 'from_' });
    expect(toolNames(['class']).get('class')).toEqual({ typescript: 'class_', python: 'class_' });
  });

  test('where two names meet, the one that is spelled so keeps it', () => {
    const names = toolNames(['get-sum', 'get_sum', 'get.sum']);
    expect(names.get('get_sum')?.python).toBe('get_sum');
    expect(names.get('get-sum')?.python).toMatch(/^get_sum_[0-9a-f]{6}$/);
    expect(names.get('get.sum')?.python).toMatch(/^get_sum_[0-9a-f]{6}$/);
  });

  test('names that differ only by case are no two files: the one in lower case stays', () => {
    const names = toolNames(['Run', 'run', 'RUN', 'Go', 'GO']);
    expect(names.get('run')).toEqual({ typescript: 'run', python: 'run' });
    expect(names.get('Run')?.typescript).toMatch(/^Run_[0-9a-f]{6}$/);
    expect(names.get('RUN')?.python).toMatch(/^RUN_[0-9a-f]{6}$/);
    expect(names.get('GO')?.python).toBe('GO');
    expect(names.get('Go')?.python).toMatch(/^Go_[0-9a-f]{6}$/);
    expect(serverNames(['My-Server', 'my-server']).get('my-server')?.directory).toBe('my-server');
    expect(serverNames(['My-Server', 'my-server']).get('My-Server')?.directory).toMatch(/^My_Server_[0-9a-f]{6}$/);
  });

  test('a digest that is taken as a name already is lengthened', () => {
    const taken = toolNames(['get-sum', 'get_sum']).get('get-sum')?.python ?? '';
    const names = toolNames(['get-sum', 'get_sum', taken]);
    expect(names.get(taken)?.python).toBe(taken);
    expect(names.get('get-sum')?.python).toMatch(/^get_sum_[0-9a-f]{8}$/);
  });

  test('a slug with a dash keeps its directory and gets an identifier beside it', () => {
    expect(serverNames(['sequential-thinking']).get('sequential-thinking')).toEqual({
      directory: 'sequential-thinking',
      identifier: 'sequential_thinking',
    });
  });

  test('what programs write leads to the tool that is meant', () => {
    const addresses = codeAddresses(codeNames([tool('sequential-thinking', 'get-sum'), tool('fs', 'delete')]));
    expect(addresses.get('sequential_thinking.get_sum')).toBe('sequential-thinking.get-sum');
    expect(addresses.get('sequential-thinking.get_sum')).toBe('sequential-thinking.get-sum');
    expect(addresses.get('fs.delete_')).toBe('fs.delete');
  });

  test('whatever the raw names are, names in code are valid, distinct, harmless and independent of order', () => {
    fc.assert(
      fc.property(fc.uniqueArray(hostileName, { minLength: 1, maxLength: 40 }), fc.nat(), (rawNames, turn) => {
        const names = toolNames(rawNames);
        expect([...names.keys()].sort()).toEqual([...rawNames].sort());
        const typescript = [...names.values()].map((name) => name.typescript);
        const python = [...names.values()].map((name) => name.python);
        expect(new Set(typescript.map((name) => name.toLowerCase())).size).toBe(rawNames.length);
        expect(new Set(python.map((name) => name.toLowerCase())).size).toBe(rawNames.length);
        for (const name of typescript) {
          expect(name).toMatch(TYPESCRIPT_NAME);
          expect(['constructor', '__proto__', 'toString', 'then', 'default', 'index', 'class', 'await']).not.toContain(name);
        }
        for (const name of python) {
          expect(name).toMatch(PYTHON_NAME);
          expect(['__init__', 'class', 'from', 'None', '_rt']).not.toContain(name);
        }
        const middle = turn % rawNames.length;
        const turned = toolNames([...rawNames.slice(middle), ...rawNames.slice(0, middle)].reverse());
        expect(Object.fromEntries(turned)).toEqual(Object.fromEntries(names));
      }),
      { numRuns: 300 },
    );
  });

  test('whatever the slugs are, directories and links are safe and never meet', () => {
    fc.assert(
      fc.property(fc.uniqueArray(hostileName, { minLength: 1, maxLength: 30 }), (slugs) => {
        const entries = [...serverNames(slugs).values()].flatMap(({ directory, identifier }) =>
          directory === identifier ? [directory] : [directory, identifier],
        );
        expect(new Set(entries.map((entry) => entry.toLowerCase())).size).toBe(entries.length);
        for (const entry of entries) {
          expect(entry).toMatch(/^[A-Za-z0-9_][A-Za-z0-9_.-]*$/);
          expect(['discovery', 'runtime', '_runtime', 'aio', 'globals', 'index', '__init__', '__pycache__']).not.toContain(entry);
        }
      }),
      { numRuns: 300 },
    );
  });
});
