import type { Manifest } from '../catalog/manifest.ts';
import { quoteIdentifier, quoteLiteral } from '../postgres/connection.ts';
import type { GlobalRoles } from './global-roles.ts';
import type { Client } from './session.ts';

/**
 * Makes the roles that the backup speaks of: nobody can log in as one, none has a password or a setting, and each has only the memberships
 * that grants and ownership depend on. A role that owned things as a superuser stays one, since only superusers may own event triggers
 * and foreign-data wrappers. Returns their names.
 */
export async function makeRoles(client: Client, manifest: Manifest, { roles, memberships }: GlobalRoles): Promise<string[]> {
  const required = new Set(rolesOf(manifest));
  const known = new Map(roles.map((role) => [role.name, role]));
  const present = new Set(await namesIn(client, 'SELECT rolname FROM pg_roles'));
  const made: string[] = [];
  for (const name of new Set([...required, ...known.keys()])) {
    if (present.has(name) || name.startsWith('pg_')) continue;
    const role = known.get(name);
    const superuser = required.has(name) && role?.superuser === true ? ' SUPERUSER' : '';
    const inherit = role?.inherit === false ? ' NOINHERIT' : '';
    await client.query(`CREATE ROLE ${quoteIdentifier(name)} NOLOGIN${superuser}${inherit}`);
    made.push(name);
  }
  const existing = new Set([...present, ...made]);
  for (const { role, member, options } of memberships) {
    if (!existing.has(role) || !existing.has(member)) continue;
    const words = options.length === 0 ? '' : ` WITH ${options.join(', ')}`;
    await client.query(`GRANT ${quoteIdentifier(role)} TO ${quoteIdentifier(member)}${words}`);
  }
  return made;
}

/** Every role that the dump names: owners, grantees, those with settings of their own in the database. */
export function rolesOf({ requires, database }: Manifest): string[] {
  const settings = database.settings.flatMap(({ role }) => role ?? []);
  const grants = (database.acl ?? []).flatMap((item) => [granteeOf(item), grantorOf(item)]);
  return [...requires.roles, database.owner, ...settings, ...grants].filter((name) => name !== '');
}

/** Makes the tablespaces that the backup names, each an empty folder that goes with the server. */
export async function makeTablespaces(
  client: Client,
  manifest: Manifest,
  makeFolder: (name: string) => Promise<string>,
): Promise<string[]> {
  const present = new Set(await namesIn(client, 'SELECT spcname FROM pg_tablespace'));
  const wanted = [...new Set([...manifest.requires.tablespaces, manifest.database.tablespace])].filter(
    (name) => !present.has(name),
  );
  if (wanted.length > 0) await makeFolder('tablespaces');
  for (const [index, name] of wanted.entries()) {
    const folder = await makeFolder(`tablespaces/${index}`);
    await client.query(`CREATE TABLESPACE ${quoteIdentifier(name)} LOCATION ${quoteLiteral(folder)}`);
  }
  return wanted;
}

async function namesIn(client: Client, query: string): Promise<string[]> {
  return (await client.query<[string]>({ text: query, rowMode: 'array' })).rows.map(([name]) => name);
}

/** The role in `role=privileges/grantor`; '' is PUBLIC. */
function granteeOf(aclItem: string): string {
  return unquote(/^(?:"(?:[^"]|"")*"|[^"=]*)(?==)/.exec(aclItem)?.[0] ?? '');
}

function grantorOf(aclItem: string): string {
  return unquote(/(?:"(?:[^"]|"")*"|[^"/]*)$/.exec(aclItem)?.[0] ?? '');
}

function unquote(name: string): string {
  return name.startsWith('"') ? name.slice(1, -1).replaceAll('""', '"') : name;
}
