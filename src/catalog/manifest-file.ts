import { Ajv } from 'ajv';
import { BackupError } from '../errors.ts';
import { manifestSchema } from './manifest-schema.ts';
import { MANIFEST_VERSION, type Manifest } from './manifest.ts';
import { memberIndexProblems } from './member-index.ts';

/** How many problems a message lists: the first few tell what happened, thousands would hide it. */
const LISTED = 5;

/** Compiled when the first manifest is read, and never again in this process: it takes longer than reading hundreds of them. */
const validator = memoized(() =>
  // strictRequired would refuse `required` of fields that are spread in; logs are not this file's to write.
  new Ajv({ allErrors: true, strict: true, strictRequired: false, logger: false }).compile<Manifest>(manifestSchema),
);

/**
 * The manifest in the bytes of a `.meta` file. `name` is used in messages only.
 * Throws `BACKUP_FORMAT` when a newer version of this program wrote it, `BACKUP_DAMAGED` when it is not whole or not a manifest.
 */
export function parseManifest(bytes: Uint8Array, name = 'the manifest'): Manifest {
  const value = readJson(bytes, name);
  const version = typeof value === 'object' && value !== null && 'formatVersion' in value ? value.formatVersion : undefined;
  if (typeof version === 'number' && version > MANIFEST_VERSION) throw newerVersion(name, version);
  const validate = validator();
  if (!validate(value)) {
    throw damaged(
      name,
      (validate.errors ?? []).map((error) => `${error.instancePath || '/'} ${error.message ?? error.keyword}`),
    );
  }
  const problems = memberIndexProblems(value);
  if (problems.length > 0) throw damaged(name, problems);
  return value;
}

function memoized<T>(make: () => T): () => T {
  let made: T | undefined;
  return () => (made ??= make());
}

/** The bytes of the `.meta` file: indented, except that tables, members and the like take one line each. */
export function serializeManifest(manifest: Manifest): Uint8Array {
  const fields = Object.entries(manifest).map(([key, value]: [string, unknown]) => `  ${JSON.stringify(key)}: ${field(value)}`);
  return Buffer.from(`{\n${fields.join(',\n')}\n}\n`);
}

function field(value: unknown): string {
  if (Array.isArray(value) && value.length > 0)
    return `[\n${value.map((item) => `    ${JSON.stringify(item)}`).join(',\n')}\n  ]`;
  return JSON.stringify(value, null, 2).replaceAll('\n', '\n  ');
}

function readJson(bytes: Uint8Array, name: string): unknown {
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch (error) {
    throw damaged(name, [bytes.length === 0 ? 'it is empty' : 'it is not JSON'], error);
  }
}

function newerVersion(name: string, version: number): BackupError {
  return new BackupError(
    'BACKUP_FORMAT',
    `${name} has format version ${version}; this program reads versions up to ${MANIFEST_VERSION}. Nothing was changed.`,
    {
      hint: 'Use the version of db-backup that made the backup, or a newer one. The dump itself restores with stock tools: gunzip -c FILE | psql.',
    },
  );
}

function damaged(name: string, problems: readonly string[], cause?: unknown): BackupError {
  const more = problems.length > LISTED ? ` and ${problems.length - LISTED} more` : '';
  return new BackupError('BACKUP_DAMAGED', `${name} is not a whole manifest: ${problems.slice(0, LISTED).join('; ')}${more}.`, {
    cause,
    hint: 'The dump beside it may be whole: `backup-manager reindex FILE` rebuilds the manifest from the dump.',
  });
}
