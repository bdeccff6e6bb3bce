import type { PolicyAdministration } from '../policies/port.ts';
import type { Ask } from './remote-ask.ts';

export const remotePolicies = (read: Ask, change: Ask): PolicyAdministration => ({
  listPolicies: (principal, query = {}) => read('listPolicies', principal, query),
  addPolicy: (principal, policy) => change('addPolicy', principal, policy),
  changePolicy: (principal, policyId, what) => change('changePolicy', principal, policyId, what),
  removePolicy: (principal, policyId) => change('removePolicy', principal, policyId),
  previewPolicy: (principal, question) => read('previewPolicy', principal, question),
});
