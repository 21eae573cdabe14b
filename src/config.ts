import { availableParallelism, tmpdir } from 'node:os';
import { join, resolve } from 'node:path';

import { checkTogether } from './config/check-together.ts';
import { drillConfig, type DrillConfig } from './config/drill-config.ts';
import type { Environment } from './config/environment-layer.ts';
import { hooksConfig, type HooksConfig } from './config/hook-settings.ts';
import type { Layer, Problem } from './config/layer.ts';
import { mergeLayers, type Values } from './config/merge.ts';
import { notifyConfig, type NotifyConfig } from './config/notify-config.ts';
import { configFolder, environmentName, readLayers } from './config/read-layers.ts';
import { catchUpConfig, limitsConfig, type CatchUpConfig, type LimitsConfig } from './config/schedule-settings.ts';
import { pitrConfig, type PitrConfig } from './config/pitr-settings.ts';
import { retentionConfig, type RetentionConfig } from './config/retention-config.ts';
import { s3Target, type S3Target } from './config/s3-target.ts';
import { createRedactor, maskWhenShown } from './config/secrets.ts';
import { drillTarget, isEveryDatabase, sourceConnection, type SourceConnection } from './config/source-connection.ts';
import { checkSources, problemsOfSources } from './config/sources.ts';
import { BackupError } from './errors.ts';

/** What holds for the whole program, however many sources it has. Printing it, in whatever way, shows no secret. */
export interface SharedConfig {
  /** The name of the file beside `default.json`, such as `production`. */
  readonly environment: string;
  readonly concurrency: {
    /** Jobs that run at the same time. */
    readonly overall: number;
    /** Dumps that run at the same time on one server. */
    readonly perServer: number;
  };
  readonly evidence: {
    /** Where the ledger is: beside the reports. Absent when there is no local target and no folder of reports was named. */
    readonly folder?: string;
    /** PEM of the key that signs; absent: entries are not signed. */
    readonly key?: string;
  };
  /** What `findPrograms` takes. */
  readonly programs: { readonly directories: readonly string[]; readonly searchPath: string };
  /** Absolute. */
  readonly paths: {
    readonly reports: string;
    /** `reports` or the folder above it: what must exist, while `reports` is made when needed. */
    readonly reportRoot: string;
    readonly work: string;
    /** Where `status.json` and `daemon.log` are: beside the reports. Absent when there is no local target and no folder of reports was named. */
    readonly status?: string;
  };
  readonly log: {
    readonly level: string;
    /** Of each file. */
    readonly fileBytes: number;
    readonly files: number;
  };
  /** Who is told of problems. */
  readonly notify: NotifyConfig;
  /** Replaces every secret of all sources in a text. For whatever is about to be written or shown. */
  readonly redact: (text: string) => string;
}

/** What one source sees: everything that can be set, checked and complete. */
export interface Config extends SharedConfig {
  readonly source: {
    readonly name: string;
    /** Whether a database was named; otherwise `connection` leads to `postgres`. */
    readonly named: boolean;
    /** Whether it is one of `sources`, and not the one that the variables name. */
    readonly listed: boolean;
    /** Set when it stands for every database of its server but these; then `connection` leads to `postgres`. */
    readonly every?: { readonly exclude: readonly string[] };
    /** Of one database of such a source: the name of that. */
    readonly group?: string;
    readonly connection: SourceConnection;
  };
  readonly targets: { readonly local?: { readonly directory: string; readonly mounted: boolean }; readonly s3?: S3Target };
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
  readonly schedule: CatchUpConfig & {
    readonly backup: string;
    readonly cleanup: string;
    readonly drill: string;
    readonly health: string;
    readonly base: string;
    readonly pitrDrill: string;
    readonly timeZone: string;
  };
  readonly limits: LimitsConfig;
  /** What is kept, and how much of it is re-read. */
  readonly retention: RetentionConfig;
  readonly pitr: PitrConfig;
  readonly drill: DrillConfig;
  /** Programs of others that run around a backup. */
  readonly hooks: HooksConfig;
}

export interface Configs {
  readonly shared: SharedConfig;
  /** In the order of the configuration; never empty. */
  readonly sources: readonly Config[];
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

/**
 * The configuration: what default.json says, over it the file of the environment, over it the environment variables, and for each of
 * `sources` what it says itself over all of these. Without `sources` there is one source, of the variables and of `source`.
 * Throws one CONFIG_INVALID that names every problem with its key, where it came from and what was expected.
 */
export function loadConfigs(options: LoadConfigOptions): Configs {
  const { env } = options;
  const problems: Problem[] = [];
  const environment = environmentName(env);
  const { layers, sources } = readLayers(env, options.configDirectory, environment, problems);
  const base = mergeLayers(layers, problems);
  const listed = sources.size > 0;
  checkSources(base, sources, problems);
  const each = listed
    ? [...sources].map(([name, own]) => mergeSource(layers, name, own, problems))
    : [{ name: base.text('source.name') || undefined, values: base }];
  const found = each.map(({ name, values }) => {
    const own: Problem[] = [];
    checkTogether(values, listed || (options.sourceRequired ?? true), own);
    const connection = sourceConnection(values, env, own);
    const scratch = drillTarget(values, env, own);
    return { name: name ?? connection.database, values, connection, scratch, problems: own };
  });
  problems.push(...problemsOfSources(found, listed, sources));
  if (problems.length > 0) throw invalid(problems);

  const secrets = found.flatMap(({ values, connection, scratch }) => values.secrets(connection.password, scratch?.password));
  const shared = sharedConfig(base, environment, env, createRedactor([...base.secrets(), ...secrets]));
  const folder = configFolder(env, options.configDirectory);
  return {
    shared,
    sources: found.map(({ name, values, connection, scratch }) => {
      const source = sourceOf(name, values, connection, listed);
      return withRedactor({ ...shared, ...ofSource(values, folder, scratch), source }, shared.redact);
    }),
  };
}

function mergeSource(layers: readonly Layer[], name: string, own: Layer, problems: Problem[]): { name: string; values: Values } {
  return { name, values: mergeLayers([...layers, own], problems) };
}

function sourceOf(name: string, values: Values, connection: SourceConnection, listed: boolean): Config['source'] {
  const every = isEveryDatabase(values) && { every: { exclude: values.list('source.exclude') } };
  // Its databases are several sources, even where it is the only one.
  return { name, named: values.has('source.database'), listed: listed || every !== false, ...every, connection };
}

function sharedConfig(values: Values, environment: string, env: Environment, redact: (text: string) => string): SharedConfig {
  const directory = resolve(values.text('targets.local.directory'));
  const reports = resolve(values.text('paths.reports') || join(directory, 'logs'));
  const inBackups = values.is('targets.local.enabled') && reports === join(directory, 'logs');
  const shared = {
    environment,
    concurrency: { overall: values.number('concurrency.overall'), perServer: values.number('concurrency.perServer') },
    notify: notifyConfig(values),
    evidence: evidence(values, reports),
    programs: { directories: values.list('programs.directories'), searchPath: env['PATH'] ?? '' },
    paths: {
      ...{ reports, reportRoot: inBackups ? directory : reports, work: resolve(values.text('paths.work') || tmpdir()) },
      ...(hasReportFolder(values) && { status: reports }),
    },
    log: {
      level: values.text('log.level'),
      fileBytes: values.number('log.fileMebibytes') * 1024 * 1024,
      files: values.number('log.files'),
    },
  };
  return withRedactor(shared, redact);
}

function ofSource(
  values: Values,
  folder: string,
  scratch: SourceConnection | undefined,
): Omit<Config, Exclude<keyof SharedConfig, 'notify'> | 'source'> {
  const s3 = s3Target(values);
  return {
    targets: {
      ...(values.is('targets.local.enabled') && {
        local: { directory: resolve(values.text('targets.local.directory')), mounted: values.is('targets.local.mounted') },
      }),
      ...(s3 !== undefined && { s3 }),
    },
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
      health: values.text('schedule.health').trim(),
      base: values.text('schedule.base').trim(),
      pitrDrill: values.text('schedule.pitrDrill').trim(),
      timeZone: values.text('schedule.timeZone'),
      ...catchUpConfig(values),
    },
    limits: limitsConfig(values),
    pitr: pitrConfig(values),
    drill: drillConfig(values, folder, scratch),
    retention: retentionConfig(values),
    notify: notifyConfig(values),
    hooks: hooksConfig(values, folder),
  };
}

/** A function is no setting: it is there, but neither printed nor compared. */
function withRedactor<T extends object>(config: T, redact: (text: string) => string): T & { redact: typeof redact } {
  return Object.defineProperty(config, 'redact', { value: redact }) as T & { redact: typeof redact };
}

function evidence(values: Values, folder: string): Config['evidence'] {
  const key = values.text('evidence.key');
  return maskWhenShown({ ...(hasReportFolder(values) && { folder }), ...(key !== '' && { key }) }, 'key');
}

/** On a disk of this machine. */
function hasReportFolder(values: Values): boolean {
  return values.is('targets.local.enabled') || values.text('paths.reports') !== '';
}

function workers(values: Values, key: string): number {
  return values.value(key) === 'auto' ? Math.min(availableParallelism(), MOST_AUTO_WORKERS) : values.number(key);
}

function invalid(problems: readonly Problem[]): BackupError {
  const lines = problems.map(({ key, origin, says }) => `\n- ${key} (${origin}): ${says}`);
  const count = problems.length === 1 ? 'a problem' : `${problems.length} problems`;
  return new BackupError('CONFIG_INVALID', `the configuration has ${count}; nothing was started:${lines.join('')}`, {
    hint: 'docs/configuration.md lists every setting with its variable, its default and what it may be.',
  });
}
