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
  const login = {
    host: values.text('source.host'),
    port: values.number('source.port'),
    database: values.has('source.database') ? values.text('source.database') : 'postgres',
    user: values.text('source.user'),
  };
  const password = values.text('source.password') || fromPasswordFile(values, env, login, problems);
  const file = (key: string, name: string): object => (values.text(key) === '' ? {} : { [name]: resolve(values.text(key)) });
  const connection: SourceConnection = {
    ...login,
    ...(password !== undefined && { password }),
    tls: {
      mode: values.text('source.tls.mode') as SourceConnection['tls']['mode'],
      ...file('source.tls.ca', 'ca'),
      ...file('source.tls.cert', 'cert'),
      ...file('source.tls.key', 'key'),
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
    const origin = values.origin('source.passwordFile');
    problems.push({ key: 'source.passwordFile', origin, says: `expected a file that can be read, got ${JSON.stringify(file)}` });
    return undefined;
  }
}
