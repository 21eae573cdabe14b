import { BackupError, type ErrorCode } from '../errors.ts';
import type { ConnectionOptions } from './connection.ts';

interface Classified {
  readonly code: ErrorCode;
  readonly says: string;
  readonly hint: string;
  readonly retryable?: boolean;
}

/** Whether a connection failed because the server does not do TLS, so that `prefer` goes on without it. */
export function isTlsRefusal(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  if (/server does not support SSL|error establishing an SSL connection/.test(error.message)) return true;
  // pg_hba.conf may allow this client without TLS only; libpq tries again for the same reason.
  return codeOf(error) === '28000' && error.message.includes('pg_hba.conf');
}

/** A failure to connect, said for the person who has to mend it: which server, as whom, why, and what to look at. */
export function connectFailure(error: unknown, options: ConnectionOptions): BackupError {
  if (error instanceof BackupError) return error;
  const { code, says, hint, retryable } = classify(error, options);
  return new BackupError(code, `cannot connect to ${describe(options)}: ${says}`, {
    cause: error,
    hint,
    retryable: retryable ?? false,
  });
}

/** The server and the login, without anything secret. */
function describe({ host, port, database, user }: ConnectionOptions): string {
  const place = host.startsWith('/') ? `${host}/.s.PGSQL.${port}` : `${host}:${port}`;
  return `database ${JSON.stringify(database)} as user ${JSON.stringify(user)} on ${place}`;
}

// SQLSTATEs: https://www.postgresql.org/docs/current/errcodes-appendix.html
function classify(error: unknown, options: ConnectionOptions): Classified {
  const message = messageOf(error);
  switch (codeOf(error)) {
    case '28P01':
      return {
        code: 'SOURCE_AUTHENTICATION',
        says: options.password === undefined ? `the server wants a password and none is configured (${message})` : message,
        hint: 'Set POSTGRES_PASSWORD or POSTGRES_PASSWORD_FILE to the password of this user, and check POSTGRES_USER.',
      };
    case '28000':
      return {
        code: 'SOURCE_AUTHENTICATION',
        says: message,
        hint: 'Check POSTGRES_USER, the TLS mode (PGSSLMODE), and that pg_hba.conf of the server lets this machine in.',
      };
    case '3D000':
      return {
        code: 'SOURCE_DATABASE_MISSING',
        says: message,
        hint: 'Check POSTGRES_DB. `psql -l` lists the databases of the server.',
      };
    case '42501':
      return {
        code: 'SOURCE_PRIVILEGE',
        says: message,
        hint: `Grant it: GRANT CONNECT ON DATABASE … TO …;`,
      };
    case '53300':
      return {
        code: 'SOURCE_UNREACHABLE',
        says: message,
        retryable: true,
        hint: 'All connection slots are taken. Lower BACKUP_WORKERS, raise max_connections or the connection limit of the role.',
      };
    case '57P03':
      return {
        code: 'SOURCE_UNREACHABLE',
        says: message,
        retryable: true,
        hint: 'The server is starting up, shutting down or recovering. Try again when it accepts connections.',
      };
    case 'ENOTFOUND':
    case 'EAI_AGAIN':
      return {
        code: 'SOURCE_UNREACHABLE',
        says: `the host name ${JSON.stringify(options.host)} is not known`,
        retryable: codeOf(error) === 'EAI_AGAIN',
        hint: 'Check POSTGRES_HOST and the name resolution of this machine or container network.',
      };
    case 'ECONNREFUSED':
    case 'ENOENT':
      return {
        code: 'SOURCE_UNREACHABLE',
        says: 'nothing listens there',
        retryable: true,
        hint: 'Check POSTGRES_HOST and POSTGRES_PORT, that the server runs, and that listen_addresses covers this address.',
      };
    default:
      return classifyByMessage(message);
  }
}

/** The driver's own failures have no code. */
function classifyByMessage(message: string): Classified {
  if (/^SASL: .*password must be/.test(message)) {
    return {
      code: 'SOURCE_AUTHENTICATION',
      says: 'the server wants a password and none is configured',
      hint: 'Set POSTGRES_PASSWORD or POSTGRES_PASSWORD_FILE.',
    };
  }
  if (/SSL|TLS|certificate|self-signed|altnames/i.test(message)) {
    return {
      code: 'SOURCE_UNREACHABLE',
      says: message,
      hint: 'The TLS mode and the server do not agree. Check PGSSLMODE and PGSSLROOTCERT; the driver verified nothing less than asked for.',
    };
  }
  if (message === 'timeout expired') {
    return {
      code: 'SOURCE_UNREACHABLE',
      says: 'no answer within the connection timeout',
      retryable: true,
      hint: 'A firewall that drops packets looks like this. Check POSTGRES_HOST, POSTGRES_PORT and the network between.',
    };
  }
  return {
    code: 'SOURCE_UNREACHABLE',
    says: message,
    retryable: true,
    hint: 'Check that the server runs and is PostgreSQL, and see its log for the time of this message.',
  };
}

function messageOf(error: unknown): string {
  // Node tries every address of a name and reports the failures together.
  if (error instanceof AggregateError && error.errors.length > 0) return messageOf(error.errors[0]);
  return error instanceof Error ? error.message : String(error);
}

function codeOf(error: unknown): string | undefined {
  if (typeof error !== 'object' || error === null || !('code' in error)) return undefined;
  return typeof error.code === 'string' ? error.code : undefined;
}
