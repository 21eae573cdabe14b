import { createHash } from 'node:crypto';
import { addDigests, EMPTY_DIGEST } from '../codec/row-digest.ts';
import type { FileProperties, Manifest } from '../catalog/manifest.ts';
import { loadTargetKey } from '../catalog/member-index.ts';
import { SIDE } from '../catalog/names.ts';
import { type BackupError, toBackupError } from '../errors.ts';
import type { ClientPrograms } from '../postgres/programs.ts';
import { runProgram } from '../postgres/run-program.ts';
import type { Storage } from '../storage/storage.ts';
import { openBackup } from './backup-source.ts';
import { fetchToc } from './fetch-toc.ts';
import type { RunContext } from './phases.ts';
import type { Tally } from './row-tally.ts';
import { expectedScript, readWholeDump, type PassFindings } from './verify-pass.ts';

export type CheckName =
  | 'manifest'
  | 'file size'
  | 'file SHA-256'
  | 'side file .toc'
  | 'side file .globals.gz'
  | 'members'
  | 'script complete'
  | 'rows and digests'
  | 'head equals .toc'
  | 'tail equals .toc';

export interface Check {
  readonly name: CheckName;
  /** `not-checked` is never to be read as passed. */
  readonly outcome: 'ok' | 'failed' | 'not-checked';
  /** What was found, or why it could not be checked; a sentence each. */
  readonly details: readonly string[];
}

export interface VerifyResult {
  readonly label: string;
  readonly target: string;
  readonly location: string;
  /** `passed` only if every check is `ok`; `inconclusive` if none failed and some could not be done. */
  readonly outcome: 'passed' | 'failed' | 'inconclusive';
  readonly checks: readonly Check[];
  /** Bytes of the dump that were read. */
  readonly bytes: number;
  readonly seconds: number;
}

export interface VerifyInput {
  /** The copy to verify; each target is verified on its own. */
  readonly storage: Storage;
  readonly key: string;
  /** Needed to compare head and tail with the archive; not checked without. */
  readonly programs?: ClientPrograms;
  /** For the `.toc` archive, while it is compared. */
  readonly temporaryFolder: string;
}

const CHECKS_AFTER_MANIFEST: readonly CheckName[] = [
  'file size',
  'file SHA-256',
  'side file .toc',
  'side file .globals.gz',
  'members',
  'script complete',
  'rows and digests',
  'head equals .toc',
  'tail equals .toc',
];
/** How many details a check lists. */
const LISTED = 10;

/**
 * Re-reads every byte of one copy of a backup and checks it against its manifest and against itself. Damage is a result, not an
 * error; what is thrown are failures to read (a target that cannot be reached) and aborts.
 */
export async function verifyBackup(input: VerifyInput, context: RunContext): Promise<VerifyResult> {
  const { storage, key } = input;
  const { signal, clock } = context;
  const start = clock.monotonic();
  const result = (label: string, checks: readonly Check[], bytes = 0): VerifyResult => ({
    label,
    target: storage.name,
    location: storage.location(key),
    outcome: checks.some((check) => check.outcome === 'failed')
      ? 'failed'
      : checks.every((check) => check.outcome === 'ok')
        ? 'passed'
        : 'inconclusive',
    checks,
    bytes,
    seconds: Math.round(clock.monotonic() - start) / 1000,
  });

  let manifest: Manifest;
  try {
    manifest = (await openBackup([storage], key, signal)).manifest;
  } catch (error) {
    const failure = damage(error, signal);
    const skipped = CHECKS_AFTER_MANIFEST.map((name): Check => ({
      name,
      outcome: 'not-checked',
      details: ['there is no manifest to check against'],
    }));
    return result(key, [{ name: 'manifest', outcome: 'failed', details: [failure.message] }, ...skipped]);
  }

  const info = await storage.head(key, signal);
  if (!info) {
    const skipped = CHECKS_AFTER_MANIFEST.slice(1).map((name): Check => ({
      name,
      outcome: 'not-checked',
      details: ['the dump is missing'],
    }));
    return result(manifest.label, [
      check('manifest', []),
      check('file size', [`${storage.location(key)} is missing`]),
      ...skipped,
    ]);
  }
  const totalBytes = manifest.file.bytes;
  context.onProgress?.({ phase: 'verify', bytes: 0, totalBytes });
  const pass = await readWholeDump(storage, key, manifest, signal, (bytes) =>
    context.onProgress?.({ phase: 'verify', bytes, totalBytes }),
  );
  const checks = [
    check('manifest', []),
    check('file size', [
      ...(info.size === totalBytes ? [] : [`it has ${info.size} bytes, the manifest says ${totalBytes}`]),
      ...pass.file,
    ]),
    check('file SHA-256', pass.sha256 === manifest.file.sha256 ? [] : ['it is not the one of the manifest']),
    await checkSideFile(storage, key, 'toc', manifest.side.toc, signal),
    await checkSideFile(storage, key, 'globals', manifest.side.globals, signal),
    check('members', pass.members),
    check('script complete', pass.script),
    checkTables(manifest, pass),
    ...(await compareWithArchive(input, manifest, pass, signal)),
  ];
  context.log.info(
    { label: manifest.label, target: storage.name, failed: checks.filter(({ outcome }) => outcome === 'failed').length },
    'verified',
  );
  return result(manifest.label, checks, pass.bytes);
}

function check(name: CheckName, problems: readonly string[]): Check {
  const more = problems.length > LISTED ? [`and ${problems.length - LISTED} more`] : [];
  return { name, outcome: problems.length === 0 ? 'ok' : 'failed', details: [...problems.slice(0, LISTED), ...more] };
}

/** Errors that say that the backup is damaged, as opposed to a target that cannot be asked: those are thrown. */
function damage(error: unknown, signal: AbortSignal): BackupError {
  signal.throwIfAborted();
  const failure = toBackupError(error);
  if (failure.code === 'BACKUP_DAMAGED' || failure.code === 'STORAGE_MISSING' || failure.code === 'STORAGE_CORRUPT')
    return failure;
  throw error;
}

async function checkSideFile(
  storage: Storage,
  dump: string,
  kind: 'toc' | 'globals',
  expected: FileProperties | undefined,
  signal: AbortSignal,
): Promise<Check> {
  const name: CheckName = kind === 'toc' ? 'side file .toc' : 'side file .globals.gz';
  if (!expected) return { name, outcome: 'not-checked', details: ['the backup has none'] };
  const hash = createHash('sha256');
  let bytes = 0;
  try {
    for await (const chunk of storage.get(dump + SIDE[kind], undefined, signal)) {
      hash.update(chunk);
      bytes += chunk.length;
    }
  } catch (error) {
    return check(name, [damage(error, signal).message]);
  }
  if (bytes !== expected.bytes) return check(name, [`it has ${bytes} bytes, the manifest says ${expected.bytes}`]);
  return check(name, hash.digest('hex') === expected.sha256 ? [] : ['its SHA-256 is not the one of the manifest']);
}

/** Rows and digests by what they are loaded into: of a partition loaded through its root only the sum is known. */
function checkTables(manifest: Manifest, pass: PassFindings): Check {
  const expected = new Map<string, Tally>();
  for (const table of manifest.tables) {
    const sum = expected.get(loadTargetKey(table)) ?? { rows: 0, digest: EMPTY_DIGEST };
    expected.set(loadTargetKey(table), { rows: sum.rows + table.rows, digest: addDigests(sum.digest, table.digest) });
  }
  const problems = [...expected].flatMap(([key, { rows, digest }]) => {
    const name = (JSON.parse(key) as string[]).join('.');
    const found = pass.tables.get(key) ?? { rows: 0, digest: EMPTY_DIGEST };
    if (pass.brokenTables.has(key)) return [`${name}: some of its rows cannot be read`];
    if (found.rows !== rows) return [`${name}: ${found.rows} rows, the manifest says ${rows}`];
    return found.digest === digest ? [] : [`${name}: its rows do not have the digest of the manifest`];
  });
  return check('rows and digests', problems);
}

async function compareWithArchive(
  input: VerifyInput,
  manifest: Manifest,
  pass: PassFindings,
  signal: AbortSignal,
): Promise<Check[]> {
  const { programs } = input;
  const kinds = ['head', 'tail'] as const;
  const none = (reason: string): Check[] =>
    kinds.map((kind) => ({ name: `${kind} equals .toc`, outcome: 'not-checked', details: [reason] }));
  if (!programs) return none('pg_restore is not at hand');
  if (Number.parseInt(manifest.programs.pgDump, 10) > programs.major)
    return none(`it needs pg_restore of ${manifest.programs.pgDump}, here is ${programs.version}`);
  const toc = await fetchToc({ copies: [input.storage], key: input.key, manifest }, input.temporaryFolder, signal);
  try {
    const { path } = toc;
    if (path === undefined) return none('the .toc archive is missing or damaged');
    const checks: Check[] = [];
    for (const kind of kinds) {
      const name: CheckName = `${kind} equals .toc`;
      const found = pass[kind];
      const expected = found === undefined ? undefined : await scriptOfArchive(programs, path, kind, signal);
      if (expected === undefined) checks.push({ name, outcome: 'not-checked', details: [`the ${kind} cannot be read`] });
      else if (expected === found) checks.push(check(name, []));
      else if (programs.version === manifest.programs.pgDump)
        checks.push(check(name, [`the ${kind} is not what pg_restore makes of the archive`]));
      else {
        const details = [
          `not compared: the backup was made with pg_dump ${manifest.programs.pgDump}, ${programs.version} words it differently`,
        ];
        checks.push({ name, outcome: 'not-checked', details });
      }
    }
    return checks;
  } finally {
    await toc.dispose();
  }
}

async function scriptOfArchive(
  programs: ClientPrograms,
  path: string,
  kind: 'head' | 'tail',
  signal: AbortSignal,
): Promise<string> {
  const script = expectedScript(kind);
  const sections = kind === 'head' ? ['--section=pre-data'] : ['--section=data', '--section=post-data'];
  await runProgram(programs.path('pg_restore'), ['-f', '-', ...sections, path], {
    signal,
    name: 'pg_restore',
    stdout: (chunk) => script.update(chunk),
  });
  return script.digest();
}
