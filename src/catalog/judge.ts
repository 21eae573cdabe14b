import { basename } from 'node:path/posix';
import type { BackupError } from '../errors.ts';
import type { Backup, BackupCopy, BackupState } from './backup.ts';
import type { FileProperties, Manifest } from './manifest.ts';
import { SIDE, type DumpName } from './names.ts';

/** What one target showed of one backup: the sizes of its files by suffix (`''` is the dump), or that it cannot be asked. */
export interface Sighting {
  readonly target: string;
  readonly location: string;
  /** `undefined`: the target could not be listed. */
  readonly sizes: ReadonlyMap<string, number> | undefined;
}

export type ManifestFinding =
  | { readonly kind: 'read'; readonly manifest: Manifest }
  | { readonly kind: 'unreadable'; readonly error: BackupError }
  | { readonly kind: 'absent' };

/** One backup of the listing from what every target showed of it. */
export function judgeBackup(key: string, name: DumpName, sightings: readonly Sighting[], finding: ManifestFinding): Backup {
  const manifest = finding.kind === 'read' ? finding.manifest : undefined;
  const copies = sightings.map((sighting) => judgeCopy(key, sighting, manifest));
  const { state, problem } = judgeState(copies, finding);
  const bytes = manifest?.file.bytes ?? copies.find((copy) => copy.bytes !== undefined)?.bytes;
  return {
    ...name,
    key,
    state,
    ...(problem === undefined ? {} : { problem }),
    ...(bytes === undefined ? {} : { bytes }),
    ...(manifest === undefined ? {} : { manifest }),
    ...(sightings.some(({ sizes }) => sizes?.has(SIDE.pin)) ? { pinned: true as const } : {}),
    copies,
  };
}

function judgeCopy(key: string, { target, location, sizes }: Sighting, manifest: Manifest | undefined): BackupCopy {
  const copy = { target, location };
  if (sizes === undefined) return { ...copy, state: 'unreachable' };
  const bytes = sizes.get('');
  if (sizes.has(SIDE.expired))
    return { ...copy, ...(bytes === undefined ? {} : { bytes }), state: 'expired', detail: 'its removal has begun' };
  if (bytes === undefined) return { ...copy, state: 'missing' };
  if (manifest === undefined) return { ...copy, bytes, state: sizes.has(SIDE.manifest) ? 'unjudged' : 'manifest-missing' };
  if (bytes !== manifest.file.bytes) {
    return { ...copy, bytes, state: 'size-differs', detail: `${bytes} bytes instead of ${manifest.file.bytes}` };
  }
  if (!sizes.has(SIDE.manifest)) return { ...copy, bytes, state: 'manifest-missing' };
  for (const [suffix, expected] of sideFiles(manifest)) {
    const size = sizes.get(suffix);
    if (size !== expected.bytes) {
      const how = size === undefined ? 'is missing' : `has ${size} bytes instead of ${expected.bytes}`;
      return { ...copy, bytes, state: 'side-file-missing', detail: `${basename(key)}${suffix} ${how}` };
    }
  }
  return { ...copy, bytes, state: 'whole' };
}

function judgeState(copies: readonly BackupCopy[], finding: ManifestFinding): { state: BackupState; problem?: string } {
  // One target may keep for years what another removes: only what no target is to keep is gone.
  if (copies.some(({ state }) => state === 'expired') && copies.every(({ state }) => state === 'expired' || state === 'missing'))
    return { state: 'expired', problem: 'its removal has begun' };
  const silent = copies.filter((copy) => copy.state === 'unreachable').map((copy) => copy.target);
  if (finding.kind === 'unreadable') {
    const state =
      finding.error.code === 'BACKUP_FORMAT' ? 'newer-format' : finding.error.code === 'BACKUP_DAMAGED' ? 'damaged' : 'unknown';
    return { state, problem: finding.error.message };
  }
  // A copy whose side files are lost still restores from its SQL alone.
  const restorable = copies.some(
    ({ state }) => state === 'whole' || state === 'side-file-missing' || state === 'manifest-missing',
  );
  if (finding.kind === 'read' && restorable) return { state: finding.manifest.outcome };
  if (silent.length > 0)
    return { state: 'unknown', problem: `${silent.join(', ')} cannot be reached and may hold what is missing here` };
  if (finding.kind === 'absent') return { state: 'unindexed', problem: 'its manifest (.meta) is lost; the dump may be whole' };
  const seen = copies.map(({ target, state, detail }) => `${target}: ${detail ?? state}`);
  return { state: 'damaged', problem: `no target holds the dump whole (${seen.join(', ')})` };
}

function sideFiles(manifest: Manifest): [string, FileProperties][] {
  const { toc, globals } = manifest.side;
  return [
    ...(toc ? ([[SIDE.toc, toc]] as [string, FileProperties][]) : []),
    ...(globals ? ([[SIDE.globals, globals]] as [string, FileProperties][]) : []),
  ];
}
