import type { DatabaseProperties, Manifest } from '../catalog/manifest.ts';
import type { ConnectionOptions } from '../postgres/connection.ts';
import { readDatabaseProperties } from '../postgres/database-properties.ts';
import { readServerFacts } from '../postgres/server-facts.ts';
import type { Findings } from './check.ts';
import { isStatementError, withSession, type Client } from './session.ts';

const PLAIN = [
  'encoding',
  'localeProvider',
  'collate',
  'ctype',
  'locale',
  'icuRules',
  'owner',
  'tablespace',
  'connectionLimit',
  'isTemplate',
  'comment',
] as const;

/** What `pg_dump` does not say of a database: encoding, locale, owner, privileges, settings, limits and comment. Its name may differ. */
export async function compareProperties(
  manifest: Manifest,
  connection: ConnectionOptions,
  { failed, unsure }: Findings,
  signal: AbortSignal,
): Promise<void> {
  const { database } = manifest;
  await withSession(connection, signal, async (client) => {
    const { versionNumber } = await readServerFacts(client);
    const { properties } = (await readDatabaseProperties(client, versionNumber))!;
    for (const name of PLAIN) {
      const [should, is] = [database[name], properties[name]];
      if (should !== is)
        failed.push({ object: `database ${name}`, message: `it is ${show(is)}, the source had ${show(should)}` });
    }
    failed.push(...compareSettings(database, properties));
    try {
      const [should, is] = [await privileges(client, database), await privileges(client, properties)];
      for (const item of should.filter((each) => !is.includes(each)))
        failed.push({ object: 'database privileges', message: `the restored database lacks: ${item}` });
      for (const item of is.filter((each) => !should.includes(each)))
        failed.push({ object: 'database privileges', message: `only the restored database has: ${item}` });
    } catch (error) {
      if (!isStatementError(error)) throw error;
      unsure.push({ object: 'database privileges', message: `they could not be compared: ${error.message}` });
    }
  });
}

function show(value: string | number | boolean | undefined): string {
  return value === undefined ? 'not set' : JSON.stringify(value);
}

function compareSettings(expected: DatabaseProperties, found: DatabaseProperties): { object: string; message: string }[] {
  const keyed = ({ settings }: DatabaseProperties): Map<string, string> => {
    return new Map(
      settings.map(({ role, name, value }) => [`setting ${name}${role === undefined ? '' : ` of role ${role}`}`, value]),
    );
  };
  const [should, is] = [keyed(expected), keyed(found)];
  return [...new Set([...should.keys(), ...is.keys()])]
    .filter((object) => should.get(object) !== is.get(object))
    .map((object) => ({ object, message: `it is ${show(is.get(object))}, the source had ${show(should.get(object))}` }));
}

/** One text for each privilege; who granted it is left out, for a restore grants everything anew. */
async function privileges(client: Client, { acl, owner }: DatabaseProperties): Promise<string[]> {
  const { rows } = await client.query<{ item: string }>(
    `SELECT format('%s for %s%s', privilege_type, CASE grantee WHEN 0 THEN 'PUBLIC' ELSE pg_get_userbyid(grantee)::text END,
                   CASE WHEN is_grantable THEN ' with grant option' END) AS item
       FROM aclexplode(coalesce($1::text[]::aclitem[], acldefault('d', (SELECT oid FROM pg_roles WHERE rolname = $2)))) ORDER BY 1`,
    [acl ?? null, owner],
  );
  return rows.map(({ item }) => item);
}
