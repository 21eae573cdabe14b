import { accessSync, constants } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import { join, resolve } from 'node:path';

import { drillConfig, type DrillConfig } from './config/drill-config.ts';
import type { Environment } from './config/environment-layer.ts';
import type { Problem } from './config/layer.ts';
import { hooksConfig, type HooksConfig } from './config/hook-settings.ts';
import { mergeLayers, type Values } from './config/merge.ts';
import { checkNotify, notifyConfig, type NotifyConfig } from './config/notify-config.ts';
import { passwordFromFile } from './config/password-file.ts';
import { configFolder, environmentName, readLayers } from './config/read-layers.ts';
import { retentionConfig, type RetentionConfig } from './config/retention-config.ts';
import { createRedactor, maskWhenShown } from './config/secrets.ts';
import { BackupError } from './errors.ts';

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

export interface S3Target {
  readonly bucket: string;
  /** Without slashes at its ends; may be empty. */
  readonly prefix: string;
  readonly region?: string;
  readonly endpoint?: string;
  readonly pathStyle: boolean;
  /** Absent: the SDK's own chain. */
  readonly credentials?: { readonly accessKeyId: string; readonly secretAccessKey: string; readonly sessionToken?: string };
}

/** Everything that can be set, checked and complete. Printing it, in whatever way, shows no secret. */
export interface Config {
  /** The name of the file beside `default.json`, such as `production`. */
  readonly environment: string;
  readonly source: {
    readonly name: string;
    /** Whether a database was named; otherwise `connection` leads to `postgres`. */
    readonly named: boolean;
    readonly connection: SourceConnection;
  };
  readonly targets: { readonly local?: { readonly directory: string }; readonly s3?: S3Target };
  readonly dump: {
    readonly codec: 'gzip' | 'zstd';
    readonly level: number | 'auto';
    readonly workers: number;
    readonly attempts: number;
    readonly lockTimeoutSeconds: number;
    readonly rolePasswords: boolean;
    readonly allowedWarnings: readonly string[];
  };
  readonly restore: { readonly workers: number };
  readonly storage: { readonly stallTimeoutSeconds: number; readonly attempts: number };
  readonly schedule: { readonly backup: string; readonly cleanup: string; readonly drill: string; readonly timeZone: string };
  /** What is kept, and how much of it is re-read. */
  readonly retention: RetentionConfig;
  readonly drill: DrillConfig;
  /** Who is told of problems. */
  readonly notify: NotifyConfig;
  /** Programs of others that run around a backup. */
  readonly hooks: HooksConfig;
  readonly evidence: {
    /** Where the ledger is: beside the reports. Absent when there is no local target and no folder of reports was named. */
    readonly folder?: string;
    /** PEM of the key that signs; absent: entries are not signed. */
    readonly key?: string;
  };
  /** What `findPrograms` takes. */
  readonly programs: { readonly directories: readonly string[]; readonly searchPath: string };
  /** Absolute. */
  readonly paths: { readonly reports: string; readonly work: string };
  readonly log: { readonly level: string };
  /** Replaces every secret of this configuration in a text. For whatever is about to be written or shown. */
  readonly redact: (text: string) => string;
}

export interface LoadConfigOptions {
  readonly env: Environment;
  /** Holds default.json and a file per environment; the variable BACKUP_CONFIG_DIRECTORY wins over it. */
  readonly configDirectory: string;
  /** Whether a database to back up must be named; not for commands that only look at backups. True by default. */
  readonly sourceRequired?: boolean;
}

/** The environment of this process; read nowhere else. */
export function processEnvironment(): Environment {
  return process.env;
}

const MOST_AUTO_WORKERS = 8;
/** What a file name of 255 bytes has left for the source: `backup_<source>_20260101_020000.sql.zst.globals.gz`. */
const MOST_SOURCE_BYTES = 255 - 'backup__20260101_020000.sql.zst.globals.gz'.length;

/**
 * The configuration: what default.json says, over it the file of the environment, over it the environment variables.
 * Throws one CONFIG_INVALID that names every problem with its key, where it came from and what was expected.
 */
export function loadConfig(options: LoadConfigOptions): Config {
  const { env } = options;
  const problems: Problem[] = [];
  const environment = environmentName(env);
  const values = mergeLayers(readLayers(env, options.configDirectory, environment, problems), problems);
  checkTogether(values, options.sourceRequired ?? true, problems);
  const connection = sourceConnection(values, env, problems);
  const s3 = s3Target(values);
  if (problems.length > 0) throw invalid(problems);

  const directory = resolve(values.text('targets.local.directory'));
  const redact = createRedactor(values.secrets(connection.password));
  const config = {
    environment,
    source: { name: values.text('source.name') || connection.database, named: values.has('source.database'), connection },
    targets: { ...(values.is('targets.local.enabled') && { local: { directory } }), ...(s3 !== undefined && { s3 }) },
    dump: {
      codec: values.text('dump.codec') as Config['dump']['codec'],
      level: values.text('dump.level') === 'auto' ? 'auto' : values.number('dump.level'),
      workers: workers(values, 'dump.workers'),
      attempts: values.number('dump.attempts'),
      lockTimeoutSeconds: values.number('dump.lockTimeoutSeconds'),
      rolePasswords: values.is('dump.rolePasswords'),
      allowedWarnings: values.list('dump.allowedWarnings'),
    },
    restore: { workers: workers(values, 'restore.workers') },
    storage: {
      stallTimeoutSeconds: values.number('storage.stallTimeoutSeconds'),
      attempts: values.number('storage.attempts'),
    },
    schedule: {
      backup: values.text('schedule.backup').trim(),
      cleanup: values.text('schedule.cleanup').trim(),
      drill: values.text('schedule.drill').trim(),
      timeZone: values.text('schedule.timeZone'),
    },
    drill: drillConfig(values, configFolder(env, options.configDirectory)),
    retention: retentionConfig(values),
    notify: notifyConfig(values),
    hooks: hooksConfig(values, configFolder(env, options.configDirectory)),
    evidence: evidence(values, resolve(values.text('paths.reports') || join(directory, 'logs'))),
    programs: { directories: values.list('programs.directories'), searchPath: env['PATH'] ?? '' },
    paths: {
      reports: resolve(values.text('paths.reports') || join(directory, 'logs')),
      work: resolve(values.text('paths.work') || tmpdir()),
    },
    log: { level: values.text('log.level') },
  };
  // A function is no setting: it is there, but neither printed nor compared.
  return Object.defineProperty(config, 'redact', { value: redact }) as unknown as Config;
}

/** Rules that hold between settings. */
function checkTogether(values: Values, sourceRequired: boolean, problems: Problem[]): void {
  const need = (key: string, says: string): void => {
    problems.push({ key, origin: values.origin(key), says });
  };
  if (sourceRequired && !values.has('source.database')) {
    need('source.database', 'expected the name of the database to back up (POSTGRES_DB or PGDATABASE)');
  }
  checkSourceName(values, need);
  checkNotify(values, need);
  if (values.text('dump.codec') === 'gzip' && values.text('dump.level') !== 'auto' && values.number('dump.level') > 9) {
    need('dump.level', `expected a whole number from 1 to 9 for gzip, got ${values.number('dump.level')}`);
  }
  const mode = values.text('source.tls.mode');
  if (mode.startsWith('verify-') && values.text('source.tls.ca') === '') {
    need(
      'source.tls.ca',
      `expected the file of the certificate authorities to trust, as source.tls.mode is ${mode} (PGSSLROOTCERT; those of the system are in /etc/ssl/certs/ca-certificates.crt on Debian)`,
    );
  }
  if ((values.text('source.tls.cert') === '') !== (values.text('source.tls.key') === '')) {
    need('source.tls.key', 'expected source.tls.cert and source.tls.key together');
  }
  for (const key of ['source.tls.ca', 'source.tls.cert', 'source.tls.key']) {
    const file = values.text(key);
    if (file !== '' && !isReadable(file)) need(key, `expected a file that can be read, got ${JSON.stringify(file)}`);
  }
  if ((values.text('targets.s3.accessKeyId') === '') !== (values.text('targets.s3.secretAccessKey') === '')) {
    need('targets.s3.secretAccessKey', 'expected targets.s3.accessKeyId and targets.s3.secretAccessKey together');
  }
  if (!values.is('targets.local.enabled') && values.text('targets.s3.bucket') === '') {
    need('targets.local.enabled', 'expected at least one target: keep the local one, or set BACKUP_S3_BUCKET');
  }
}

/** Too long a name would show only when a whole dump is to be stored. */
function checkSourceName(values: Values, need: (key: string, says: string) => void): void {
  const named = values.text('source.name');
  const bytes = (named || values.text('source.database')).replace(/[^A-Za-z0-9.-]/gu, (other) =>
    '%XX'.repeat(Buffer.byteLength(other)),
  ).length;
  if (bytes <= MOST_SOURCE_BYTES) return;
  const room = `at most ${MOST_SOURCE_BYTES} bytes in file names, where all but A-Z, a-z, 0-9, "." and "-" take 3 for each of theirs`;
  need(
    'source.name',
    named === ''
      ? `expected a shorter name than that of the database (BACKUP_SOURCE_NAME): it may have ${room}; this one has ${bytes}`
      : `expected a name of ${room}; this one has ${bytes}`,
  );
}

function sourceConnection(values: Values, env: Environment, problems: Problem[]): SourceConnection {
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

function s3Target(values: Values): S3Target | undefined {
  const at = (key: string): string => values.text(`targets.s3.${key}`);
  if (at('bucket') === '') return undefined;
  const pathStyle = values.value('targets.s3.pathStyle');
  const credentials = {
    accessKeyId: at('accessKeyId'),
    secretAccessKey: at('secretAccessKey'),
    ...(at('sessionToken') !== '' && { sessionToken: at('sessionToken') }),
  };
  return {
    bucket: at('bucket'),
    prefix: at('prefix').replace(/^\/+|\/+$/g, ''),
    ...(at('region') !== '' && { region: at('region') }),
    ...(at('endpoint') !== '' && { endpoint: at('endpoint') }),
    pathStyle: pathStyle === 'auto' ? at('endpoint') !== '' : pathStyle === true,
    ...(credentials.accessKeyId !== '' && { credentials: maskWhenShown(credentials, 'secretAccessKey', 'sessionToken') }),
  };
}

function evidence(values: Values, folder: string): Config['evidence'] {
  const hasFolder = values.is('targets.local.enabled') || values.text('paths.reports') !== '';
  const key = values.text('evidence.key');
  return maskWhenShown({ ...(hasFolder && { folder }), ...(key !== '' && { key }) }, 'key');
}

function workers(values: Values, key: string): number {
  return values.value(key) === 'auto' ? Math.min(availableParallelism(), MOST_AUTO_WORKERS) : values.number(key);
}

function isReadable(file: string): boolean {
  try {
    accessSync(file, constants.R_OK);
    return true;
  } catch {
    return false;
  }
}

function invalid(problems: readonly Problem[]): BackupError {
  const lines = problems.map(({ key, origin, says }) => `\n- ${key} (${origin}): ${says}`);
  const count = problems.length === 1 ? 'a problem' : `${problems.length} problems`;
  return new BackupError('CONFIG_INVALID', `the configuration has ${count}; nothing was started:${lines.join('')}`, {
    hint: 'docs/configuration.md lists every setting with its variable, its default and what it may be.',
  });
}
