import type { AuditRecord } from '@code-executor/contracts';
import type { Audit, AuditEvent } from '@code-executor/tools';

/** What is recorded, in memory, for tests of the gateway alone. */
export class MemoryAudit implements Audit {
  readonly events: AuditEvent[] = [];

  async record(event: AuditEvent): Promise<void> {
    this.events.push(event);
  }

  async list() {
    return { items: this.#records(), nextCursor: null };
  }

  async *export() {
    yield* this.#records();
  }

  async verify() {
    return { whole: true, checked: this.events.length, brokenAt: null };
  }

  #records(): AuditRecord[] {
    return this.events.map((event, index) => ({
      ...{ id: `aud_${index}`, at: new Date(0).toISOString(), type: event.type },
      principal: { id: event.principal?.id ?? null, role: event.principal?.role ?? null, name: null },
      ...{ target: event.target ?? null, server: null, tool: null, connection: null, executionId: null, callNumber: null },
      ...{ requestId: event.requestId ?? null, decision: null, policyId: null, outcome: event.outcome ?? 'ok', durationMs: null },
      ...{ replyBytes: null, argumentDigest: null, details: event.details ?? null, digest: '' },
    }));
  }
}
