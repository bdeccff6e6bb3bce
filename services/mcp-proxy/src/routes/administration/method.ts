import type { Principal } from '@code-executor/contracts';
import { AppError } from '@code-executor/platform';
import type { ToolAdministration } from '@code-executor/tools';
import type { z } from 'zod';

type Tools = ToolAdministration;

/** A method as it is called from outside: with arguments that fit, or not at all. */
export interface AdministrationMethod {
  /** @throws ZodError where the arguments do not fit. */
  call(tools: Tools, caller: Principal | null, given: unknown, signal: AbortSignal): unknown;
}

export function method<Arguments extends z.ZodType>(
  schema: Arguments,
  act: (tools: Tools, principal: Principal, given: z.output<Arguments>, signal: AbortSignal) => unknown,
): AdministrationMethod {
  return {
    call(tools, principal, given, signal) {
      if (principal === null) throw new AppError('INVALID_REQUEST', 'principal: say for whom');
      return act(tools, principal, schema.parse(given), signal);
    },
  };
}
