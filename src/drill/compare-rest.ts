import type { Manifest } from '../catalog/manifest.ts';
import type { Findings } from './check.ts';
import { askBoth, RELATION_NAME, type Client, type Databases } from './session.ts';

// Rows and values are asked for by `query_to_xml`: the server itself writes the names into the statement, whatever their encoding.

/** The sum of a hash of each row as two numbers: it depends on the rows and not on their order. */
const HASH_SUM = (text: string): string =>
  `sum(('x' || substr(md5(${text}), 1, 16))::bit(64)::bigint) AS h1, sum(('x' || substr(md5(${text}), 17))::bit(64)::bigint) AS h2`;

// The same choice as the dump's: tables that belong to an extension only if their rows are the user's.
const OTHER_TABLES = `
SELECT ${RELATION_NAME} AS name,
       query_to_xml(format('SELECT count(*) AS n, ${HASH_SUM('(r.*)::text').replaceAll("'", "''")} FROM ONLY %I.%I AS r', n.nspname, c.relname), false, true, '')::text AS value
  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
 WHERE c.relkind = 'r' AND c.relpersistence <> 't' AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
   AND NOT EXISTS (SELECT FROM unnest($1::text[], $2::text[]) l(schema, name) WHERE l.schema = n.nspname AND l.name = c.relname)
   AND (NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e')
        OR EXISTS (SELECT FROM pg_extension e WHERE c.oid = ANY (e.extconfig)))
 ORDER BY c.oid`;

const SEQUENCES = `
SELECT n.nspname AS schema, c.relname AS sequence, ${RELATION_NAME} AS name,
       query_to_xml(format('SELECT last_value, is_called FROM %I.%I', n.nspname, c.relname), false, true, '')::text AS value
  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.relkind = 'S' AND n.nspname !~ '^pg_temp_' ORDER BY c.oid`;

const BUCKETS = 1024;

// Content page by page, and owner, privileges and comment; per bucket of OIDs, so that millions of objects are a small answer.
const LARGE_OBJECTS = (group: string, where: string): string => `
SELECT ${group} AS name, ${HASH_SUM('t')}
  FROM (SELECT loid, concat_ws(' ', loid, pageno, md5(data)) AS t FROM pg_catalog.pg_largeobject
        UNION ALL
        SELECT oid, concat_ws(' ', oid, pg_get_userbyid(lomowner), (SELECT string_agg(a::text, ',' ORDER BY a::text) FROM unnest(lomacl) a),
                              obj_description(oid, 'pg_largeobject')) FROM pg_largeobject_metadata) parts
 WHERE ${where} GROUP BY 1 ORDER BY 1`;
const BUCKET = `loid::bigint % ${BUCKETS}`;
/** Large objects that are named when many differ. */
const NAMED = 10;

/**
 * Rows of the tables that the backup leaves to `pg_dump` (configuration tables of extensions, above all): those of the restored
 * database against those that the backup's own script gives in a database without other rows.
 */
export async function compareOtherTables(manifest: Manifest, databases: Databases, { failed }: Findings): Promise<void> {
  const listed = [manifest.tables.map(({ schema }) => schema), manifest.tables.map(({ name }) => name)];
  const ask = async (client: Client): Promise<Map<string, string>> => {
    const { rows } = await client.query<{ name: string; value: string }>(OTHER_TABLES, listed);
    return new Map(rows.map(({ name, value }) => [name, value]));
  };
  const [should, is] = await askBoth(databases, ask);
  for (const [name, value] of is) {
    const expected = should.get(name);
    const [rows, expectedRows] = [count(value), expected === undefined ? 0 : count(expected)];
    if (expected === undefined)
      failed.push({ object: name, message: `the restored database has this table with ${rows} rows, the backup has not` });
    else if (rows !== expectedRows) failed.push({ object: name, message: `it has ${rows} rows, the backup has ${expectedRows}` });
    else if (value !== expected) failed.push({ object: name, message: 'its rows are not those of the backup' });
  }
  for (const name of should.keys()) if (!is.has(name)) failed.push({ object: name, message: 'the table is missing' });
}

/** Values of sequences against the manifest; of those that it does not list, against the backup's own script. */
export async function compareSequences(
  manifest: Manifest,
  databases: Databases,
  { failed }: Findings,
  leftOut = false,
): Promise<void> {
  const ask = async (client: Client): Promise<Map<string, { name: string; value: string }>> => {
    const { rows } = await client.query<{ schema: string; sequence: string; name: string; value: string }>(SEQUENCES);
    return new Map(
      rows.map(({ schema, sequence, name, value }) => [key(schema, sequence), { name, value: sequenceValue(value) }]),
    );
  };
  const [should, is] = await askBoth(databases, ask);
  for (const { schema, name, lastValue, isCalled } of manifest.sequences) {
    if (leftOut && !should.has(key(schema, name))) continue;
    should.set(key(schema, name), { name: `${schema}.${name}`, value: describeValue(lastValue, isCalled) });
  }
  for (const [id, expected] of should) {
    const found = is.get(id);
    const object = `sequence ${expected.name}`;
    if (!found) failed.push({ object, message: 'it is missing' });
    else if (found.value !== expected.value)
      failed.push({ object, message: `it is at ${found.value}, the backup has ${expected.value}` });
  }
  for (const [id, { name }] of is)
    if (!should.has(id)) failed.push({ object: `sequence ${name}`, message: 'only the restored database has it' });
}

/** Large objects: their number against the manifest; content, owner, privileges and comment of each against the backup's own script. */
export async function compareLargeObjects(manifest: Manifest, databases: Databases, { failed }: Findings): Promise<void> {
  const object = 'large objects';
  const [, present] = await askBoth(databases, async (client) => {
    const { rows } = await client.query<{ n: number }>('SELECT count(*)::int AS n FROM pg_largeobject_metadata');
    return rows[0]!.n;
  });
  if (present !== manifest.largeObjects.count)
    failed.push({ object, message: `there are ${present}, the source had ${manifest.largeObjects.count}` });

  // Their pages are for superusers only; where there are none, nobody needs to look.
  if (present === 0 && manifest.largeObjects.count === 0) return;
  const buckets = differing(await askBoth(databases, async (client) => await hashes(client, LARGE_OBJECTS(BUCKET, 'true'))));
  if (buckets.length === 0) return;
  const where = `${BUCKET} = ANY ('{${buckets.slice(0, NAMED).join(',')}}')`;
  const both = await askBoth(databases, async (client) => await hashes(client, LARGE_OBJECTS('loid', where)));
  const objects = differing(both);
  for (const oid of objects.slice(0, NAMED)) {
    const message = !both[1].has(oid)
      ? 'it is missing'
      : !both[0].has(oid)
        ? 'only the restored database has it'
        : 'its content, owner, privileges or comment differ from the backup';
    failed.push({ object: `large object ${oid}`, message });
  }
  if (objects.length > NAMED || buckets.length > NAMED)
    failed.push({ object, message: `more than the ${NAMED} named ones differ` });
}

async function hashes(client: Client, query: string): Promise<Map<string, string>> {
  const { rows } = await client.query<{ name: string | number; h1: string; h2: string }>(query);
  return new Map(rows.map(({ name, h1, h2 }) => [String(name), `${h1} ${h2}`]));
}

function differing<T>([should, is]: readonly [ReadonlyMap<string, T>, ReadonlyMap<string, T>]): string[] {
  return [...new Set([...should.keys(), ...is.keys()])].filter((name) => should.get(name) !== is.get(name));
}

function count(xml: string): number {
  return Number(/<n>(\d+)<\/n>/.exec(xml)?.[1]);
}

function key(schema: string, name: string): string {
  return JSON.stringify([schema, name]);
}

function sequenceValue(xml: string): string {
  const value = /<last_value>(-?\d+)<\/last_value>/.exec(xml)?.[1];
  return describeValue(value ?? '?', /<is_called>true<\/is_called>/.test(xml));
}

function describeValue(lastValue: string, isCalled: boolean): string {
  return `${lastValue} (${isCalled ? 'called' : 'not called yet'})`;
}
