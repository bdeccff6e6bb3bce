import { connectionChangeSchema, newConnectionSchema } from '@code-executor/contracts';
import { z } from 'zod';
import { type AdministrationMethod, method } from './method.ts';

const connectionId = z.string().min(1).max(64);
const pageSchema = z.strictObject({
  integration: z.string().min(1).max(128).optional(),
  limit: z.int().min(1).max(10_000),
  cursor: z.string().max(256).optional(),
});
/** What a browser brought, from anybody. */
const callbackSchema = z.tuple([z.record(z.string().max(64), z.string().max(8_192))]);
const redirectUri = z.url({ protocol: /^https?$/ }).max(2_048);

/** Nobody has to be somebody for this one: the state in the parameters says whose consent it was. */
const finishAuthorization: AdministrationMethod = {
  call(tools, _caller, given) {
    const [parameters] = callbackSchema.parse(given);
    return tools.finishAuthorization(parameters);
  },
};

export const CONNECTION_METHODS = [
  ['listConnections', method(z.tuple([pageSchema]), (tools, principal, [query]) => tools.listConnections(principal, query))],
  ['getConnection', method(z.tuple([connectionId]), (tools, principal, [id]) => tools.getConnection(principal, id))],
  ['addConnection', method(z.tuple([newConnectionSchema]), (tools, principal, [connection]) => tools.addConnection(principal, connection))],
  [
    'changeConnection',
    method(z.tuple([connectionId, connectionChangeSchema]), (tools, principal, [id, change]) =>
      tools.changeConnection(principal, id, change),
    ),
  ],
  ['removeConnection', method(z.tuple([connectionId]), (tools, principal, [id]) => tools.removeConnection(principal, id))],
  [
    'validateConnection',
    method(z.tuple([connectionId]), (tools, principal, [id], signal) => tools.validateConnection(principal, id, signal)),
  ],
  [
    'startAuthorization',
    method(z.tuple([connectionId, redirectUri]), (tools, principal, [id, uri]) => tools.startAuthorization(principal, id, uri)),
  ],
  ['finishAuthorization', finishAuthorization],
  ['listProviders', method(z.tuple([]), (tools, principal) => tools.listProviders(principal))],
  ['resealSecrets', method(z.tuple([z.boolean()]), (tools, principal, [newKey]) => tools.resealSecrets(principal, newKey))],
] as const;
