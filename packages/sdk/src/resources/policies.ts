import { segment, sendForJson } from '../http/json.ts';
import type { RequestOptions, Send } from '../http/send.ts';
import type { Page } from '../types/page.ts';
import type { NewPolicy, Policy, PolicyChange, PolicyPreview, PolicyQuestion } from '../types/policy.ts';

export interface Policies {
  /** `derived`: also what follows from each server itself. */
  list(query?: { readonly derived?: boolean }, options?: RequestOptions): Promise<Page<Policy>>;
  add(policy: NewPolicy, options?: RequestOptions): Promise<Policy>;
  change(id: string, change: PolicyChange, options?: RequestOptions): Promise<Policy>;
  remove(id: string, options?: RequestOptions): Promise<void>;
  /** What would be decided on a call, and why. */
  preview(question: PolicyQuestion, options?: RequestOptions): Promise<PolicyPreview>;
}

export function policiesOf(send: Send): Policies {
  const pathOf = (id: string): string => `/policies/${segment(id)}`;
  return {
    list: (query, options) => sendForJson(send, { method: 'GET', path: '/policies', query: { ...query }, options }),
    add: (policy, options) => sendForJson(send, { method: 'POST', path: '/policies', body: policy, options }),
    change: (id, change, options) => sendForJson(send, { method: 'PATCH', path: pathOf(id), body: change, options }),
    remove: (id, options) => sendForJson(send, { method: 'DELETE', path: pathOf(id), options }),
    preview: (question, options) =>
      // It changes nothing.
      sendForJson(send, { method: 'POST', path: '/policies/preview', body: question, options, repeatable: true }),
  };
}
