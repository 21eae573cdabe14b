import { join, resolve } from 'node:path';

import type { Environment } from './environment-layer.ts';
import type { Problem } from './layer.ts';
import type { Values } from './merge.ts';
import { passwordFromFile } from './password-file.ts';
import { isReadable } from './readable.ts';
import { maskWhenShown } from './secrets.ts';

export interface SourceConnection {
  readonly host: string;
  readonly port: number;
  readonly database: string;
  readonly user: string;
  readonly password?: string;
  readonly tls: {
    readonly mode: 'disable' | 'prefer' | 'require' | 'verify-ca' | 'verify-full';
    readonly ca?: string;
    readonly cert?: string;
    readonly key?: string;
  };
  readonly connectTimeoutSeconds: number;
}

/** How the merged values say that the database is reached. What is wrong is told in `problems`. */
export function sourceConnection(values: Values, env: Environment, problems: Problem[]): SourceConnection {
  return connectionAt('source', values, env, problems);
}

/** The server that drills restore into, if one is named. */
export function drillTarget(values: Values, env: Environment, problems: Problem[]): SourceConnection | undefined {
  return values.text('drill.target.host') === '' ? undefined : connectionAt('drill.target', values, env, problems);
}

function connectionAt(
  prefix: 'source' | 'drill.target',
  values: Values,
  env: Environment,
  problems: Problem[],
): SourceConnection {
  const at = (key: string): string => `${prefix}.${key}`;
  const login = {
    host: values.text(at('host')),
    port: values.number(at('port')),
    database: databaseOf(values, at('database')),
    user: values.text(at('user')),
  };
  const password = values.text(at('password')) || fromPasswordFile(values, env, login, problems);
  const file = (key: string, name: string): object => {
    return values.text(at(key)) === '' ? {} : { [name]: resolve(values.text(at(key))) };
  };
  const connection: SourceConnection = {
    ...login,
    ...(password !== undefined && { password }),
    tls: {
      mode: values.text(at('tls.mode')) as SourceConnection['tls']['mode'],
      ...file('tls.ca', 'ca'),
      ...file('tls.cert', 'cert'),
      ...file('tls.key', 'key'),
    },
    connectTimeoutSeconds: values.number('source.connectTimeoutSeconds'),
  };
  return maskWhenShown(connection, 'password');
}

function fromPasswordFile(
  values: Values,
  env: Environment,
  login: Parameters<typeof passwordFromFile>[1],
  problems: Problem[],
): string | undefined {
  const named = values.text('source.passwordFile');
  const home = env['HOME'] ?? '';
  const file = named || (home === '' ? '' : join(home, '.pgpass'));
  if (file === '' || (named === '' && !isReadable(file))) return undefined;
  try {
    return passwordFromFile(file, login);
  } catch {
    const key = 'source.passwordFile';
    const says = `expected a file that can be read, got ${JSON.stringify(file)}`;
    // Two connections may ask the same file.
    if (!problems.some((each) => each.key === key)) problems.push({ key, origin: values.origin(key), says });
    return undefined;
  }
}

/** Whether the source stands for all databases of its server. */
export function isEveryDatabase(values: Values): boolean {
  return values.text('source.database') === '*';
}

function databaseOf(values: Values, key: string): string {
  return values.has(key) && !(key === 'source.database' && isEveryDatabase(values)) ? values.text(key) : 'postgres';
}
