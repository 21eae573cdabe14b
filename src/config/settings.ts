import { address, autoOr, choice, cron, flag, integer, list, text, timeZone, type Format } from './formats.ts';
import { CONCURRENCY_SETTINGS } from './concurrency-settings.ts';
import { DRILL_SETTINGS } from './drill-settings.ts';
import { DRILL_TARGET_SETTINGS } from './drill-target-settings.ts';
import { HEALTH_SETTINGS } from './health-settings.ts';
import { HOOK_SETTINGS } from './hook-settings.ts';
import { NOTIFY_SETTINGS } from './notify-settings.ts';
import type { Setting } from './setting.ts';
import { PITR_SETTINGS } from './pitr-settings.ts';
import { RETENTION_SETTINGS } from './retention-settings.ts';
import { SCHEDULE_SETTINGS } from './schedule-settings.ts';
import { SOURCE_SETTINGS } from './source-settings.ts';

const seconds = (from: number, to: number): Format => integer(from, to, 'seconds');
const folderPath = text('the path of a folder');

/** Everything that can be set: the only list of it. Files, environment, checks and documentation all follow it. */
export const SETTINGS: readonly Setting[] = [
  ...SOURCE_SETTINGS,
  {
    key: 'targets.local.enabled',
    format: flag,
    default: true,
    env: ['BACKUP_LOCAL'],
    about: 'Whether a copy is kept in the backup directory. Without it, dumps go straight to the bucket.',
  },
  {
    key: 'targets.local.directory',
    format: text('the path of a folder', /^[^\0]+$/),
    default: '/backups',
    env: ['BACKUP_DIR'],
    about: 'The backup directory. It must exist, so that a volume that is not mounted is noticed.',
  },
  {
    key: 'targets.local.mounted',
    format: flag,
    default: false,
    env: ['BACKUP_DIR_MOUNTED'],
    about:
      'Whether the backup directory must be, or be below, a mount point. The image says so: what is written elsewhere in a container goes with it.',
  },
  {
    key: 'targets.s3.bucket',
    format: text(
      'the name of a bucket (3 to 63 lower-case letters, digits, dots, hyphens)',
      /^([a-z0-9][a-z0-9.-]{1,61}[a-z0-9])?$/,
    ),
    default: '',
    env: ['BACKUP_S3_BUCKET'],
    about: 'The S3 bucket that holds a second copy; none without it.',
  },
  {
    key: 'targets.s3.prefix',
    format: text('the beginning of object names', /^[^\0\n]{0,500}$/),
    default: 'database-backups',
    env: ['BACKUP_S3_PREFIX'],
    about:
      'What the names of all objects begin with: `s3://BUCKET/PREFIX/full/…`. Each daemon should have one of its own: no lock covers a bucket.',
  },
  {
    key: 'targets.s3.endpoint',
    format: address,
    default: '',
    env: ['BACKUP_S3_ENDPOINT'],
    about: 'Address of an S3 server other than that of AWS.',
  },
  {
    key: 'targets.s3.region',
    format: text('the name of a region, such as eu-central-1', /^[a-z0-9-]*$/),
    default: '',
    env: ['AWS_REGION', 'AWS_DEFAULT_REGION'],
    about: "The bucket's region. By default what the AWS SDK finds.",
  },
  {
    key: 'targets.s3.pathStyle',
    format: autoOr(flag),
    default: 'auto',
    env: ['BACKUP_S3_PATH_STYLE'],
    about: 'Whether the bucket is named in the path of an address and not in its host name. `auto`: when there is an endpoint.',
  },
  {
    key: 'targets.s3.accessKeyId',
    format: text('an access key', /^\S*$/),
    default: '',
    env: ['AWS_ACCESS_KEY_ID'],
    fromFile: true,
    about: "Access key of the bucket. Without one, the AWS SDK's own chain is asked (profile, container or instance role, …).",
  },
  {
    key: 'targets.s3.secretAccessKey',
    format: text('a secret access key', /^\S*$/),
    default: '',
    env: ['AWS_SECRET_ACCESS_KEY'],
    secret: true,
    fromFile: true,
    about: 'The secret that belongs to the access key.',
  },
  {
    key: 'targets.s3.sessionToken',
    format: text('a session token', /^\S*$/),
    default: '',
    env: ['AWS_SESSION_TOKEN'],
    secret: true,
    fromFile: true,
    about: 'The session token of temporary credentials.',
  },
  {
    key: 'dump.codec',
    format: choice('gzip', 'zstd'),
    default: 'gzip',
    env: ['BACKUP_CODEC'],
    about: 'Compression: `gzip` opens everywhere, `zstd` is faster and smaller.',
  },
  {
    key: 'dump.level',
    format: autoOr(integer(1, 19)),
    default: 'auto',
    env: ['BACKUP_LEVEL'],
    about:
      'Compression level: up to 9 for gzip, up to 19 for zstd. `auto`: for each table what its rows are worth; zstd is fastest at 1.',
  },
  {
    key: 'dump.workers',
    format: autoOr(integer(1, 64)),
    default: 'auto',
    env: ['BACKUP_WORKERS'],
    about: 'Worker threads of a dump, each with a connection of its own. `auto`: one per CPU, at most 8.',
  },
  {
    key: 'dump.attempts',
    format: integer(1, 20),
    default: 5,
    env: ['BACKUP_DUMP_ATTEMPTS'],
    about: 'How often a dump starts again from a new snapshot when a table was altered or locked under it.',
  },
  {
    key: 'dump.lockTimeoutSeconds',
    format: seconds(1, 3600),
    default: 30,
    env: ['BACKUP_LOCK_TIMEOUT'],
    about: 'How long to wait for the lock on a table (`ACCESS SHARE`: it only waits for changes of structure).',
  },
  {
    key: 'dump.rolePasswords',
    format: flag,
    default: false,
    env: ['BACKUP_ROLE_PASSWORDS'],
    about: 'Whether the file of roles holds their (hashed) passwords. Reading them needs a superuser.',
  },
  {
    key: 'dump.allowedWarnings',
    format: list('texts', ';', (part) => part !== ''),
    default: [],
    env: ['BACKUP_ALLOWED_WARNINGS'],
    about: 'Warnings of pg_dump that contain one of these texts do not make a backup incomplete.',
  },
  {
    key: 'restore.workers',
    format: autoOr(integer(1, 64)),
    default: 'auto',
    env: ['BACKUP_RESTORE_WORKERS'],
    about: 'Connections that load rows and build indexes. `auto`: one per CPU, at most 8.',
  },
  {
    key: 'storage.stallTimeoutSeconds',
    format: seconds(5, 86_400),
    default: 120,
    env: ['BACKUP_STALL_TIMEOUT'],
    about: 'How long a target may take nothing before it counts as failed.',
  },
  {
    key: 'storage.attempts',
    format: integer(1, 20),
    default: 5,
    env: ['BACKUP_STORAGE_ATTEMPTS'],
    about: 'How often an operation on a target is tried, with growing pauses.',
  },
  {
    key: 'schedule.backup',
    format: cron,
    default: '0 2 * * *',
    env: ['BACKUP_SCHEDULE'],
    about: 'When the nightly backup runs, as a cron expression. All fields must match (`0 4 1-7 * 0`: first Sunday).',
  },
  {
    key: 'schedule.timeZone',
    format: timeZone,
    default: 'UTC',
    env: ['TZ'],
    about: 'The time zone of the schedule. Reports and labels are in UTC always.',
  },
  ...SCHEDULE_SETTINGS,
  ...DRILL_SETTINGS,
  ...DRILL_TARGET_SETTINGS,
  ...RETENTION_SETTINGS,
  ...PITR_SETTINGS,
  ...NOTIFY_SETTINGS,
  ...HOOK_SETTINGS,
  ...HEALTH_SETTINGS,
  ...CONCURRENCY_SETTINGS,
  {
    key: 'evidence.key',
    format: text('an Ed25519 private key in PEM', /^[^\0]*$/),
    default: '',
    env: ['EVIDENCE_KEY'],
    secret: true,
    fromFile: true,
    about:
      'The key that signs the entries of the evidence ledger (`backup-manager evidence keygen`, [evidence](evidence.md)). Without it they are chained but not signed.',
  },
  {
    key: 'programs.directories',
    format: list('absolute paths of folders', ':', (part) => part.startsWith('/')),
    default: [],
    env: ['BACKUP_PROGRAM_DIRECTORIES'],
    about: "Folders with PostgreSQL's client programs, looked in before `/usr/lib/postgresql/*/bin` and PATH.",
  },
  {
    key: 'paths.reports',
    format: folderPath,
    default: '',
    env: ['BACKUP_REPORT_DIR'],
    about: 'Where reports are written. By default `logs` in the backup directory.',
  },
  {
    key: 'paths.work',
    format: folderPath,
    default: '',
    env: ['BACKUP_WORK_DIR'],
    about: "For temporary files that belong to no target. By default the system's temporary folder.",
  },
  {
    key: 'log.level',
    format: choice('trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'),
    default: 'info',
    env: ['BACKUP_LOG_LEVEL', 'LOG_LEVEL'],
    about: 'The least important log lines to write.',
  },
];

/** Groups and settings that hold for all sources; the others may differ from one of `sources` to the next. */
const OF_ALL_SOURCES =
  /^(?:source\.name|concurrency\.|schedule\.staggerSeconds$|evidence\.|programs\.|paths\.|log\.|retention\.(?:reportYears|hourlyReportDays)$|notify\.(?!ping\.))/;

export function isOfSource({ key }: Setting): boolean {
  return !OF_ALL_SOURCES.test(key);
}

/** The key that a setting has below the name of a source: `host` for `source.host`. */
export function keyInSource({ key }: Setting): string {
  return key.replace(/^source\./, '');
}

/** Chooses the file beside `default.json`. */
export const ENVIRONMENT_VARIABLES = ['DB_BACKUP_ENV', 'NODE_ENV'] as const;
/** Where `default.json` and the files of environments are. */
export const DIRECTORY_VARIABLE = 'BACKUP_CONFIG_DIRECTORY';
