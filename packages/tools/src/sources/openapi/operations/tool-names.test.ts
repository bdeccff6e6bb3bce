import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { METHODS } from './operations.ts';
import { type Nameable, toolNames } from './tool-names.ts';

const operation = (tag: string | null, operationId: string | null, place = 'get /things/{id}'): Nameable => {
  const [method = 'get', path = ''] = place.split(' ');
  return { method: METHODS.find((known) => known === method) ?? 'get', path, tag, operationId };
};

describe('names of tools', () => {
  test.each<[string | null, string | null, string, string]>([
    ['repos', 'repos/list-for-org', 'get /orgs/{org}/repos', 'repos.list_for_org'],
    ['pet', 'addPet', 'post /pet', 'pet.addPet'],
    ['chat', 'chat_postMessage', 'post /chat.postMessage', 'chat.postMessage'],
    ['admin.apps', 'admin_apps_approve', 'post /admin.apps.approve', 'admin.apps.approve'],
    ['Audit log API', 'getEvents', 'get /events', 'audit_log_api.getEvents'],
    [null, 'PostPrices', 'post /v1/prices', 'PostPrices'],
    [null, 'drive.files.list', 'get /files', 'drive.files.list'],
    [null, null, 'get /pets/{petId}/toys', 'get_pets_by_petId_toys'],
    ['pets', null, 'post /pets', 'pets.post_pets'],
    [null, null, 'get /', 'get_root'],
    ['获取', '获取用户', 'get /users', 'get_users'],
    ['users', 'users', 'get /users', 'users.users'],
    ['a', '../../etc/passwd', 'get /x', 'a.etc.passwd'],
    [null, 'a\r\nb*/`$x`', 'get /x', 'a_b.x'],
  ])('tag %j, operationId %j, %s → %s', (tag, operationId, place, name) => {
    expect(toolNames([operation(tag, operationId, place)])).toEqual([name]);
  });

  test('what is too long is shortened to 64 characters a segment, and stays distinct', () => {
    const [first = '', second = ''] = toolNames([operation('t', `${'x'.repeat(300)}a`), operation('t', `${'x'.repeat(300)}b`, 'get /b')]);
    expect(first).toHaveLength(2 + 64);
    expect(first).not.toBe(second);
  });

  test('two operations of one name keep it apart by what they call, so that a third one renames neither', () => {
    const two = [operation('t', 'list', 'get /a'), operation('t', 'LIST', 'get /b')];
    const names = toolNames(two);
    expect(names[0]).toMatch(/^t\.list_[0-9a-f]{6}$/);
    expect(names[1]).toMatch(/^t\.LIST_[0-9a-f]{6}$/);
    expect(toolNames([...two, operation('t', 'list', 'get /c')]).slice(0, 2)).toEqual(names);
  });

  test('whatever a document holds, names are distinct, harmless and independent of order', () => {
    const word = fc.option(
      fc.oneof(fc.string({ unit: 'binary' }), fc.constantFrom('list', 'List', 'a.b', 'a/b', '__proto__', 'constructor', '../..')),
      { nil: null },
    );
    const paths = fc.uniqueArray(fc.tuple(fc.constantFrom(...METHODS), fc.string({ maxLength: 8 })), {
      maxLength: 40,
      selector: ([method, path]) => `${method} ${path}`,
    });
    fc.assert(
      fc.property(paths, fc.infiniteStream(word), fc.infiniteStream(word), fc.nat(), (places, tags, ids, turn) => {
        const operations = places.map(
          ([method, path]): Nameable => ({ method, path, tag: tags.next().value ?? null, operationId: ids.next().value ?? null }),
        );
        const names = toolNames(operations);
        expect(new Set(names.map((name) => name.toLowerCase())).size).toBe(operations.length);
        for (const name of names) expect(name).toMatch(/^[A-Za-z0-9_]{1,64}(?:\.[A-Za-z0-9_]{1,64}){0,7}$/);
        const middle = operations.length === 0 ? 0 : turn % operations.length;
        const turned = [...operations.slice(middle), ...operations.slice(0, middle)].reverse();
        const again = toolNames(turned);
        for (const [index, each] of turned.entries()) expect(again[index]).toBe(names[operations.indexOf(each)]);
      }),
      { numRuns: 500 },
    );
  });
});
