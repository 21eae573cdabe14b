import type { Problem } from './layer.ts';
import type { Values } from './merge.ts';
import { checkNotify } from './notify-config.ts';
import { isReadable } from './readable.ts';

/** What a file name of 255 bytes has left for the source: `backup_<source>_20260101_020000.sql.zst.globals.gz`. */
const MOST_SOURCE_BYTES = 255 - 'backup__20260101_020000.sql.zst.globals.gz'.length;

/** Rules that hold between settings. */
export function checkTogether(values: Values, sourceRequired: boolean, problems: Problem[]): void {
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
  checkTls('source', 'PGSSLROOTCERT', values, need);
  if (values.text('drill.target.host') !== '') checkTls('drill.target', 'DRILL_TARGET_SSLROOTCERT', values, need);
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

function checkTls(prefix: string, variable: string, values: Values, need: (key: string, says: string) => void): void {
  const at = (key: string): string => `${prefix}.tls.${key}`;
  const mode = values.text(at('mode'));
  if (mode.startsWith('verify-') && values.text(at('ca')) === '') {
    need(
      at('ca'),
      `expected the file of the certificate authorities to trust, as ${at('mode')} is ${mode} (${variable}; those of the system are in /etc/ssl/certs/ca-certificates.crt on Debian)`,
    );
  }
  if ((values.text(at('cert')) === '') !== (values.text(at('key')) === '')) {
    need(at('key'), `expected ${at('cert')} and ${at('key')} together`);
  }
  for (const key of [at('ca'), at('cert'), at('key')]) {
    const file = values.text(key);
    if (file !== '' && !isReadable(file)) need(key, `expected a file that can be read, got ${JSON.stringify(file)}`);
  }
}
