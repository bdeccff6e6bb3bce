import type { HandoffAdministration } from '../executor/port.ts';
import type { Ask } from './remote-ask.ts';

export const remoteHandoffs = (read: Ask, change: Ask): HandoffAdministration => ({
  getHandoff: (principal, handoffId) => read('getHandoff', principal, handoffId),
  completeHandoff: (principal, handoffId, values) => change('completeHandoff', principal, handoffId, values),
});
