import { randomBytes } from 'node:crypto';
import type { Manifest } from '../catalog/manifest.ts';
import { quoteIdentifier } from '../postgres/connection.ts';
import { createDatabaseStatement } from '../postgres/create-database.ts';
import { readDatabaseProperties } from '../postgres/database-properties.ts';
import { readServerFacts } from '../postgres/server-facts.ts';
import type { Findings } from './check.ts';
import { isStatementError, type Client } from './session.ts';

/**
 * Makes a database with encoding, locale and tablespace of the backup's, compares the version of its collation, and drops it again: only
 * the server knows what its C library and ICU can do.
 */
export async function tryLocale(
  client: Client,
  database: Manifest['database'],
  prefix: string,
  findings: Findings,
): Promise<void> {
  const { versionNumber } = await readServerFacts(client);
  const scratch = `${prefix}${randomBytes(6).toString('hex')}`;
  const { encoding, localeProvider, collate, ctype, locale } = database;
  const what = [...new Set([collate, ctype, ...(locale === undefined ? [] : [`${localeProvider} ${locale}`])])].join(', ');
  try {
    await client.query(createDatabaseStatement(scratch, database, versionNumber));
  } catch (error) {
    if (!isStatementError(error)) throw error;
    findings.unsure.push({
      object: 'locale',
      message: `this server cannot make a database with encoding ${encoding} and locale ${what}: ${error.message}`,
      hint: 'Install what the message names, or let the drill use a server like the source (drill.target).',
    });
    return;
  }
  try {
    const here = (await readDatabaseProperties(client, versionNumber, scratch))?.properties.collationVersion;
    const there = database.collationVersion;
    if (here !== there && here !== undefined && there !== undefined) {
      findings.notes.push({
        object: 'collation version',
        message: `${here}; at the source it was ${there}: text may sort differently here, in indexes made here as well`,
      });
    }
  } finally {
    await client.query(`DROP DATABASE IF EXISTS ${quoteIdentifier(scratch)}`);
  }
}
