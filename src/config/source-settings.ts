import { choice, integer, list, text } from './formats.ts';
import type { Setting } from './setting.ts';

const filePath = text('the path of a file, or nothing');

/** Which database is backed up, and how it is reached. */
export const SOURCE_SETTINGS: readonly Setting[] = [
  {
    key: 'source.name',
    format: text('a name of at most 100 characters', /^[^\0\n]{0,100}$/),
    default: '',
    env: ['BACKUP_SOURCE_NAME'],
    about: 'The name of the database in labels and file names. By default the name of the database.',
  },
  {
    key: 'source.host',
    format: text('a host name, an address or the folder of a Unix socket', /^[^\0\s]+$/),
    default: 'localhost',
    env: ['POSTGRES_HOST', 'PGHOST'],
    about: 'Where the PostgreSQL server is; a path that begins with `/` is the folder of its Unix socket.',
  },
  {
    key: 'source.port',
    format: integer(1, 65_535),
    default: 5432,
    env: ['POSTGRES_PORT', 'PGPORT'],
    about: 'The port of the server.',
  },
  {
    key: 'source.database',
    format: text('the name of a database', /^[^\0]+$/),
    default: null,
    env: ['POSTGRES_DB', 'PGDATABASE'],
    fromFile: true,
    about:
      'The database to back up, or `*` for every database of the server ([sources](sources.md)). Has no default: a backup of the wrong database would look like success.',
  },
  {
    key: 'source.exclude',
    format: list('names of databases, where "*" stands for any characters and "?" for one', ',', (part) => part !== ''),
    default: [],
    env: ['BACKUP_EXCLUDE_DATABASES'],
    about: 'Of every database of a server, those that are not backed up. Templates never are.',
  },
  {
    key: 'source.user',
    format: text('the name of a role', /^[^\0]+$/),
    default: 'postgres',
    env: ['POSTGRES_USER', 'PGUSER'],
    fromFile: true,
    about: 'The role to log in as.',
  },
  {
    key: 'source.password',
    format: text('a password', /^[^\0]*$/),
    default: '',
    env: ['POSTGRES_PASSWORD', 'PGPASSWORD'],
    secret: true,
    fromFile: true,
    about: 'The password of the role.',
  },
  {
    key: 'source.passwordFile',
    format: filePath,
    default: '',
    env: ['PGPASSFILE'],
    about: "A file in the format of libpq's `.pgpass`, asked when no password is set. By default `~/.pgpass` when there is one.",
  },
  {
    key: 'source.connectTimeoutSeconds',
    format: integer(2, 600, 'seconds'),
    default: 10,
    env: ['POSTGRES_CONNECT_TIMEOUT', 'PGCONNECT_TIMEOUT'],
    about: 'How long to wait for a connection.',
  },
  {
    key: 'source.tls.mode',
    format: choice('disable', 'prefer', 'require', 'verify-ca', 'verify-full'),
    default: 'prefer',
    env: ['POSTGRES_SSLMODE', 'PGSSLMODE'],
    about:
      'Encryption of the connection, as libpq means it: `require` encrypts, `verify-ca` also wants a certificate from a known authority, `verify-full` one for this very host.',
  },
  {
    key: 'source.tls.ca',
    format: filePath,
    default: '',
    env: ['POSTGRES_SSLROOTCERT', 'PGSSLROOTCERT'],
    about: 'PEM file of the certificate authorities to trust; needed by the `verify-` modes.',
  },
  {
    key: 'source.tls.cert',
    format: filePath,
    default: '',
    env: ['POSTGRES_SSLCERT', 'PGSSLCERT'],
    about: 'PEM file of a client certificate to log in with.',
  },
  {
    key: 'source.tls.key',
    format: filePath,
    default: '',
    env: ['POSTGRES_SSLKEY', 'PGSSLKEY'],
    about: 'PEM file of its private key.',
  },
];
