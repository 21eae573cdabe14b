import { parseDumpName, SIDE } from '../catalog/names.ts';
import { ageText, durationText } from '../quantities.ts';
import type { SourceStatus, StatusFile } from './source-status.ts';

/** Clocks may differ by so much before a time counts as one from the future. */
const AHEAD_MS = 5 * 60_000;
/** The name of the target on this machine. */
const LOCAL = 'local';

export interface StatusVerdictInput {
  /** `undefined`: there is none. */
  readonly status: StatusFile | undefined;
  /** Its configured name. */
  readonly source: string;
  /** Names in the folder of dumps; `undefined` when there is no local target. */
  readonly files: readonly string[] | undefined;
  readonly now: Date;
}

/** Why a source cannot be called fresh by what the status file and the folder of dumps say; nothing: it is. */
export function staleSource({ status, source: name, files, now }: StatusVerdictInput): string[] {
  if (!status) return ['there is no status.json: the daemon has not looked yet, or cannot write it'];
  const source = Object.hasOwn(status.sources, name) ? status.sources[name] : undefined;
  if (!source) return [`${name}: not in status.json: the daemon has not looked yet`];
  return problemsOf(source, newestStored(name, files), files, now).map((problem) => `${name}: ${problem}`);
}

function problemsOf(
  { updatedAt, staleAfter, newestGood, freshnessLimitMinutes }: SourceStatus,
  stored: { readonly started: Date } | undefined,
  files: readonly string[] | undefined,
  now: Date,
): string[] {
  const problems: string[] = [];
  if (Date.parse(updatedAt) > now.getTime() + AHEAD_MS) problems.push('status.json is from the future: a clock was wrong');
  if (staleAfter === undefined) problems.push('no health check has ended yet');
  else if (Date.parse(staleAfter) < now.getTime()) {
    problems.push(`status.json is stale: the next health check should have ended by ${staleAfter}`);
  }
  const known = newestGood && new Date(newestGood.startedAt);
  const newest = stored && (!known || stored.started > known) ? stored.started : known;
  if (!newest) return [...problems, 'there is no good backup'];
  if (newest === known && files && newestGood?.targets.includes(LOCAL) === true && !hasManifest(files, newestGood.label)) {
    problems.push(`${newestGood.label} is gone from the backup directory`);
  }
  const limit = freshnessLimitMinutes * 60_000;
  if (now.getTime() - newest.getTime() > limit) {
    problems.push(`the newest good backup is ${ageText(newest, now)} old; up to ${durationText(limit)} is well`);
  }
  return problems;
}

/** The newest dump of a source that has its manifest, by its name. */
function newestStored(source: string, files: readonly string[] | undefined): { readonly started: Date } | undefined {
  let newest: { readonly started: Date } | undefined;
  for (const name of files ?? []) {
    if (!name.endsWith(SIDE.manifest)) continue;
    const dump = parseDumpName(name.slice(0, -SIDE.manifest.length));
    if (dump?.source === source && (!newest || dump.started > newest.started)) newest = dump;
  }
  return newest;
}

function hasManifest(files: readonly string[], label: string): boolean {
  return files.some((name) => name.startsWith(`${label}.`) && name.endsWith(SIDE.manifest));
}
