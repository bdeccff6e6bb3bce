import { DOCUMENT_LIMIT_BYTES, integrationChangeShape, newIntegrationShape } from '@code-executor/contracts';
import type { IntegrationChange, NewIntegration, ToolAdministration } from '@code-executor/tools';
import { z } from 'zod';
import { type AdministrationMethod, method } from './method.ts';

const slug = z.string().min(1).max(128);
const document = z
  .custom<Uint8Array<ArrayBuffer>>((bytes) => bytes instanceof Uint8Array && bytes.byteLength <= DOCUMENT_LIMIT_BYTES)
  .optional();
const integration = z.strictObject({ ...newIntegrationShape, document }) satisfies z.ZodType<NewIntegration>;
const change = z.strictObject({ ...integrationChangeShape, document }) satisfies z.ZodType<IntegrationChange>;

export const INTEGRATION_METHODS = [
  ['listIntegrations', method(z.tuple([]), (tools, principal) => tools.listIntegrations(principal))],
  ['getIntegration', method(z.tuple([slug]), (tools, principal, [name]) => tools.getIntegration(principal, name))],
  ['addIntegration', method(z.tuple([integration]), (tools, principal, [definition]) => tools.addIntegration(principal, definition))],
  ['detectIntegration', method(z.tuple([z.url().max(4_096)]), (tools, principal, [url]) => tools.detectIntegration(principal, url))],
  ['removeIntegration', method(z.tuple([slug]), (tools, principal, [name]) => tools.removeIntegration(principal, name))],
  [
    'refreshIntegration',
    method(z.tuple([slug, change]), (tools, principal, [name, what]) => tools.refreshIntegration(principal, name, what)),
  ],
] satisfies readonly (readonly [keyof ToolAdministration, AdministrationMethod])[];
