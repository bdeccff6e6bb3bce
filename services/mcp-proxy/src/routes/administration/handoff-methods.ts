import { handoffValuesSchema, idPattern } from '@code-executor/contracts';
import { z } from 'zod';
import { method } from './method.ts';

const handoffId = z.string().regex(idPattern('hnd'));

export const HANDOFF_METHODS = [
  ['getHandoff', method(z.tuple([handoffId]), (tools, principal, [id]) => tools.getHandoff(principal, id))],
  [
    'completeHandoff',
    method(z.tuple([handoffId, handoffValuesSchema.shape.values]), (tools, principal, [id, values]) =>
      tools.completeHandoff(principal, id, values),
    ),
  ],
] as const;
