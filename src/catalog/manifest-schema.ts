import { MANIFEST_VERSION } from './manifest.ts';

const text = { type: 'string' } as const;
const flag = { type: 'boolean' } as const;
const count = { type: 'integer', minimum: 0 } as const;
const bytes = { type: 'integer', minimum: 0, description: 'Bytes.' } as const;
const time = { type: 'string', pattern: '^\\d{4}-\\d{2}-\\d{2}[T ]\\d{2}:\\d{2}:\\d{2}', description: 'ISO 8601.' } as const;
const sha256 = { type: 'string', pattern: '^[0-9a-f]{64}$' } as const;
const codecName = { enum: ['gzip', 'zstd'] } as const;

function object(required: Record<string, object>, optional: Record<string, object> = {}): Record<string, unknown> {
  return { type: 'object', properties: { ...required, ...optional }, required: Object.keys(required) };
}

function listOf(items: object, description?: string): object {
  return { type: 'array', ...(description === undefined ? {} : { description }), items };
}

const fileFields = { name: { ...text, description: 'File name without folder.' }, bytes, sha256 };
const tableName = { schema: text, name: text };
const databaseSettings = listOf(
  object({ name: text, value: text }, { role: text }),
  'ALTER DATABASE … SET, or with a role ALTER ROLE … IN DATABASE … SET.',
);

const database = object(
  {
    name: text,
    encoding: text,
    localeProvider: { enum: ['libc', 'icu', 'builtin'] },
    collate: text,
    ctype: text,
    owner: text,
    tablespace: text,
    connectionLimit: { type: 'integer', minimum: -1 },
    isTemplate: flag,
    settings: databaseSettings,
  },
  { locale: text, icuRules: text, collationVersion: text, acl: listOf(text, 'Items as in pg_database.datacl.'), comment: text },
);

const server = object(
  { version: text, versionNum: { ...count, description: 'server_version_num' }, standby: flag },
  { systemIdentifier: text },
);

const requires = object(
  {
    roles: listOf(text),
    tablespaces: listOf(text),
    extensions: listOf(object({ name: text, version: text, schema: text })),
  },
  {
    collations: listOf(
      object({ schema: text, name: text, collate: text, ctype: text }),
      'Collations of the C library that single columns, indexes and functions use. Absent in older manifests.',
    ),
  },
);

const table = object(
  {
    ...tableName,
    columns: listOf(text, 'In the order of the fields of a row; generated columns left out.'),
    rows: count,
    bytes: { ...bytes, description: 'Bytes of COPY text.' },
    digest: { type: 'string', pattern: '^[0-9a-f]{32}$', description: 'Sum, modulo 2^128, of MurmurHash3_x64_128 of each row.' },
  },
  {
    loadInto: { ...object(tableName), description: 'The partitioned table that the rows are loaded through.' },
    partitionOf: { ...object(tableName), description: 'The root of the partitioned table that it is a partition of.' },
  },
);

const block = object({ table: { ...count, description: 'Index into tables.' }, rawLength: bytes, rows: count });

const member = object(
  {
    kind: { enum: ['head', 'chunk', 'tail'] },
    offset: bytes,
    length: { ...bytes, minimum: 1 },
    rawLength: bytes,
    rows: { ...count, description: 'Rows that end in this member.' },
    sha256,
  },
  {
    table: { ...count, description: 'Index into tables, for chunks of one block.' },
    continues: { const: true },
    blocks: listOf(block, 'Of a chunk that is made of several COPY blocks: each of them, in order, instead of table. Version 2.'),
  },
);

/** JSON Schema of {@link Manifest}, published as `docs/schemas/manifest.schema.json`. Unknown fields are allowed: manifests only grow. */
export const manifestSchema = {
  $schema: 'http://json-schema.org/draft-07/schema#',
  title: 'Manifest of a db-backup dump',
  description: 'The .meta file beside a dump: what the dump is, how to check it, and what a restore of it needs.',
  ...object(
    {
      formatVersion: { enum: [1, MANIFEST_VERSION] },
      label: { ...text, minLength: 1 },
      source: { ...text, description: 'Configured name of the source.' },
      outcome: { enum: ['complete', 'incomplete'] },
      omitted: listOf(object({ kind: { enum: ['rows', 'large-objects', 'object'] }, object: text, reason: text })),
      warnings: listOf(text),
      database,
      server,
      programs: object({ dbBackup: text, pgDump: text }),
      snapshot: object({ time, lsn: text }),
      timing: object({ startedAt: time, finishedAt: time, dumpSeconds: { type: 'number', minimum: 0 } }),
      codec: object({ name: codecName, level: { anyOf: [{ type: 'integer', minimum: 1 }, { const: 'auto' }] } }),
      file: object({ ...fileFields, rawBytes: { ...bytes, description: 'Bytes of the SQL script.' } }),
      side: object({}, { toc: object(fileFields), globals: object(fileFields) }),
      requires,
      tables: listOf(table, 'Tables whose rows are in chunks of their own.'),
      sequences: listOf(object({ ...tableName, lastValue: { type: 'string', pattern: '^-?\\d+$' }, isCalled: flag })),
      largeObjects: object({ count }),
      members: listOf(member, 'Every member of the dump file, in file order and without gaps.'),
      copies: listOf(object({ target: text, location: text, sha256, storedAt: time, checkedBy: text })),
    },
    { reindexedAt: { ...time, description: 'Set when the manifest was rebuilt from the dump file.' } },
  ),
};
