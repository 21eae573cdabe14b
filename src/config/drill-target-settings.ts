import { choice, integer, text } from './formats.ts';
import type { Setting } from './setting.ts';

const filePath = text('the path of a file, or nothing');

/** A server that drills restore into instead of a throw-away one. */
export const DRILL_TARGET_SETTINGS: readonly Setting[] = [
  {
    key: 'drill.target.host',
    format: text('a host name, an address, the folder of a Unix socket, or nothing', /^[^\0\s]*$/),
    default: '',
    env: ['DRILL_TARGET_HOST'],
    about:
      'A server to restore into, in scratch databases that the drill makes and drops. By default each drill starts a throw-away server of its own, which proves more.',
  },
  {
    key: 'drill.target.port',
    format: integer(1, 65_535),
    default: 5432,
    env: ['DRILL_TARGET_PORT'],
    about: 'The port of that server.',
  },
  {
    key: 'drill.target.database',
    format: text('the name of a database', /^[^\0]+$/),
    default: 'postgres',
    env: ['DRILL_TARGET_DATABASE'],
    about: 'The database there to connect to for making others. Nothing is done in it.',
  },
  {
    key: 'drill.target.user',
    format: text('the name of a role', /^[^\0]+$/),
    default: 'postgres',
    env: ['DRILL_TARGET_USER'],
    fromFile: true,
    about: 'The role to log in as there; a superuser, or some things cannot be checked.',
  },
  {
    key: 'drill.target.password',
    format: text('a password', /^[^\0]*$/),
    default: '',
    env: ['DRILL_TARGET_PASSWORD'],
    secret: true,
    fromFile: true,
    about: 'The password of the role. Without one, the password file of the source is asked.',
  },
  {
    key: 'drill.target.tls.mode',
    format: choice('disable', 'prefer', 'require', 'verify-ca', 'verify-full'),
    default: 'prefer',
    env: ['DRILL_TARGET_SSLMODE'],
    about: 'Encryption of the connection, as for the source.',
  },
  {
    key: 'drill.target.tls.ca',
    format: filePath,
    default: '',
    env: ['DRILL_TARGET_SSLROOTCERT'],
    about: 'PEM file of the certificate authorities to trust; needed by the `verify-` modes.',
  },
  {
    key: 'drill.target.tls.cert',
    format: filePath,
    default: '',
    env: ['DRILL_TARGET_SSLCERT'],
    about: 'PEM file of a client certificate to log in with.',
  },
  {
    key: 'drill.target.tls.key',
    format: filePath,
    default: '',
    env: ['DRILL_TARGET_SSLKEY'],
    about: 'PEM file of its private key.',
  },
];
