import { type ConnectionChange, type ConnectionRecord, type NewConnection, newId, type Principal } from '@code-executor/contracts';
import { AppError } from '@code-executor/platform';
import type { ConnectionAdministration } from '@code-executor/tools';

/** Connections in memory, for tests of the gateway alone. They keep no value. */
export class MemoryConnections implements ConnectionAdministration {
  readonly connections = new Map<string, ConnectionRecord>();
  /** As `GET /oauth/callback` brought them. */
  readonly callbacks: Readonly<Record<string, string>>[] = [];
  callbackEnd: Awaited<ReturnType<ConnectionAdministration['finishAuthorization']>> = { outcome: 'done', message: 'It is authorized.' };

  async listConnections(_principal: Principal, { limit }: { readonly limit: number }) {
    const items = [...this.connections.values()].slice(0, limit);
    return { items, total: this.connections.size, nextCursor: null };
  }

  async getConnection(_principal: Principal, id: string): Promise<ConnectionRecord> {
    const record = this.connections.get(id);
    if (!record) throw new AppError('CONNECTION_NOT_FOUND', `There is no connection ${id}.`);
    return record;
  }

  async addConnection(_principal: Principal, { integration, name, owner }: NewConnection): Promise<ConnectionRecord> {
    const now = new Date().toISOString();
    const record: ConnectionRecord = {
      id: newId('con'),
      integration,
      name,
      owner,
      principalId: null,
      default: true,
      address: `${integration}@${name}`,
      auth: { type: 'bearer', values: { token: { provider: 'sealed' } } },
      status: 'active',
      reason: null,
      expiresAt: null,
      createdAt: now,
      updatedAt: now,
    };
    this.connections.set(record.id, record);
    return record;
  }

  async changeConnection(principal: Principal, id: string, _change: ConnectionChange): Promise<ConnectionRecord> {
    return this.getConnection(principal, id);
  }

  async removeConnection(principal: Principal, id: string): Promise<void> {
    await this.getConnection(principal, id);
    this.connections.delete(id);
  }

  async validateConnection(principal: Principal, id: string) {
    await this.getConnection(principal, id);
    return { outcome: 'ok' as const, status: 200, message: null };
  }

  async startAuthorization(_principal: Principal, _id: string, redirectUri: string) {
    return { url: `https://login.example/authorize?redirect_uri=${encodeURIComponent(redirectUri)}`, expiresAt: new Date().toISOString() };
  }

  async finishAuthorization(parameters: Readonly<Record<string, string>>) {
    this.callbacks.push(parameters);
    return this.callbackEnd;
  }

  async listProviders() {
    return [{ kind: 'sealed' as const, configured: true, description: 'in the database' }];
  }

  async resealSecrets() {
    return { keyId: '0123456789abcdef', keys: 1, resealed: 0, total: 0 };
  }
}
