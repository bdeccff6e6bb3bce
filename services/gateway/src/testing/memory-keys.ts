import { DEFAULT_WORKSPACE_ID, newId, type Principal, type Role } from '@code-executor/contracts';
import type { KeyRecord, Keys } from '@code-executor/executions';
import { AppError } from '@code-executor/platform';

/** Keys in memory, for tests of the gateway alone. */
export class MemoryKeys implements Keys {
  readonly #keys = new Map<string, KeyRecord>();

  add(bareKey: string, role: Role, fields: Partial<KeyRecord> = {}): KeyRecord {
    const times = { createdAt: new Date().toISOString(), expiresAt: null, revokedAt: null };
    const record: KeyRecord = { id: newId('key'), name: role, role, ...times, scopes: null, ...fields };
    this.#keys.set(bareKey, record);
    return record;
  }

  async authenticate(bareKey: string): Promise<Principal | null> {
    const record = this.#keys.get(bareKey);
    if (!record || record.revokedAt !== null) return null;
    if (record.expiresAt !== null && Date.parse(record.expiresAt) <= Date.now()) return null;
    return { id: record.id, workspaceId: DEFAULT_WORKSPACE_ID, role: record.role, name: record.name, scopes: record.scopes };
  }

  async create(_principal: Principal, key: Parameters<Keys['create']>[1]) {
    const bareKey = `cek_${newId('key').slice(4)}`;
    return {
      ...this.add(bareKey, key.role, { name: key.name, expiresAt: key.expiresAt ?? null, scopes: key.scopes ?? null }),
      key: bareKey,
    };
  }

  async list(): Promise<KeyRecord[]> {
    return [...this.#keys.values()];
  }

  async revoke(_principal: Principal, keyId: string): Promise<KeyRecord> {
    for (const [bareKey, record] of this.#keys) {
      if (record.id !== keyId) continue;
      const revoked = { ...record, revokedAt: new Date().toISOString() };
      this.#keys.set(bareKey, revoked);
      return revoked;
    }
    throw new AppError('KEY_NOT_FOUND', `There is no key ${keyId}.`);
  }
}
