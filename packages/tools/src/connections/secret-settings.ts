import { AppError, wholeNumber } from '@code-executor/platform';
import { z } from 'zod';
import type { SecretSettings } from './open-connections.ts';
import type { VaultLogin, VaultSettings } from './providers/vault-provider.ts';

/** Variables of whoever holds upstream credentials: where secret values may be read from. */
export const secretSettings = {
  /** Directories with secret files, separated by commas. */
  EXECUTOR_SECRET_FILES_DIR: z.string().default(''),
  /** How long a value from a file, the environment or Vault is used before it is read again; what is revoked there counts after it. */
  EXECUTOR_SECRET_CACHE_SECONDS: wholeNumber({ min: 0, max: 3_600, unit: 'seconds' }).default(30),
  EXECUTOR_VAULT_ADDR: z.url({ protocol: /^https?$/ }).optional(),
  EXECUTOR_VAULT_NAMESPACE: z.string().optional(),
  /** One of three ways to log in: a token, an AppRole, or the pod's service account. */
  EXECUTOR_VAULT_TOKEN: z.string().optional(),
  EXECUTOR_VAULT_ROLE_ID: z.string().optional(),
  EXECUTOR_VAULT_SECRET_ID: z.string().optional(),
  EXECUTOR_VAULT_KUBERNETES_ROLE: z.string().optional(),
  /** Where that way of logging in is mounted, if not at its own name. */
  EXECUTOR_VAULT_AUTH_MOUNT: z
    .string()
    .regex(/^[\w./-]+$/)
    .optional(),
};

const SERVICE_ACCOUNT_TOKEN = '/var/run/secrets/kubernetes.io/serviceaccount/token';

type Settings = z.infer<z.ZodObject<typeof secretSettings>>;

/** @throws AppError INVALID_REQUEST where Vault's variables do not fit together. */
export function readSecretSettings(settings: Settings): SecretSettings {
  return {
    filesDirs: settings.EXECUTOR_SECRET_FILES_DIR.split(',')
      .map((directory) => directory.trim())
      .filter((directory) => directory !== ''),
    cacheMs: settings.EXECUTOR_SECRET_CACHE_SECONDS * 1_000,
    vault: vaultOf(settings),
  };
}

function vaultOf(settings: Settings): VaultSettings | null {
  const { EXECUTOR_VAULT_ADDR: address, EXECUTOR_VAULT_NAMESPACE: namespace } = settings;
  const logins = loginsOf(settings);
  const [login, other] = logins;
  if (address === undefined) {
    if (login !== undefined) throw wrong('EXECUTOR_VAULT_ADDR: set it, since a way to log in is set');
    return null;
  }
  if (login === undefined || other !== undefined)
    throw wrong(
      'EXECUTOR_VAULT_ADDR: set one way to log in: EXECUTOR_VAULT_TOKEN, EXECUTOR_VAULT_ROLE_ID with EXECUTOR_VAULT_SECRET_ID, or EXECUTOR_VAULT_KUBERNETES_ROLE',
    );
  return { address, namespace: namespace ?? null, login };
}

function loginsOf(settings: Settings): VaultLogin[] {
  const { EXECUTOR_VAULT_TOKEN: token, EXECUTOR_VAULT_ROLE_ID: roleId, EXECUTOR_VAULT_SECRET_ID: secretId } = settings;
  const { EXECUTOR_VAULT_KUBERNETES_ROLE: role, EXECUTOR_VAULT_AUTH_MOUNT: mount } = settings;
  if ((roleId === undefined) !== (secretId === undefined)) throw wrong('EXECUTOR_VAULT_ROLE_ID and EXECUTOR_VAULT_SECRET_ID: set both');
  return [
    ...(token === undefined ? [] : [{ method: 'token' as const, token }]),
    ...(roleId === undefined || secretId === undefined
      ? []
      : [{ method: 'approle' as const, roleId, secretId, mount: mount ?? 'approle' }]),
    ...(role === undefined
      ? []
      : [{ method: 'kubernetes' as const, role, tokenFile: SERVICE_ACCOUNT_TOKEN, mount: mount ?? 'kubernetes' }]),
  ];
}

const wrong = (message: string): AppError => new AppError('INVALID_REQUEST', message);
