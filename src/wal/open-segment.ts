import { formatLsn, parseLsn } from '../catalog/lsn.ts';
import type { WalMoment } from '../catalog/wal-meta.ts';
import { parseWalFile, type WalFile } from '../catalog/wal-names.ts';
import { BackupError, toBackupError } from '../errors.ts';
import type { OpenLook } from './recoverable.ts';
import { reachOf } from './segment-reach.ts';
import { fetchCopy, momentsOfCopy, type WalCopy } from './wal-copy.ts';

interface OpenOrigin {
  readonly segmentBytes: number;
  /** WAL of another cluster is taken for damaged. Absent: it is not known which it is to be. */
  readonly systemIdentifier?: string;
}

/** One copy of a segment that is still being written, and how far it goes. */
interface OpenCopy {
  readonly raw: Uint8Array;
  readonly reach: bigint;
}

/** Raw bytes of the copy that goes farthest. Throws when none can be read. */
export async function fetchOpen(
  origin: OpenOrigin,
  file: string,
  copies: readonly WalCopy[],
  signal?: AbortSignal,
): Promise<Uint8Array> {
  const read: OpenCopy[] = [];
  let failure: BackupError | undefined;
  for (const copy of copies) {
    try {
      read.push(await readOpen(origin, file, copy, signal));
    } catch (error) {
      signal?.throwIfAborted();
      failure ??= toBackupError(error);
    }
  }
  if (read.length === 0) throw failure!;
  return read.reduce((best, each) => (each.reach > best.reach ? each : best)).raw;
}

/** How far the best copy of an open segment goes, by its records, and the looks at the source's clock that lie before that. */
export async function lookAtOpen(
  origin: OpenOrigin,
  file: string,
  copies: readonly WalCopy[],
  signal?: AbortSignal,
): Promise<OpenLook & { readonly moments: readonly WalMoment[] }> {
  let reach = startOf(file, origin.segmentBytes);
  const noted: WalMoment[] = [];
  const shorts: { readonly promised: bigint; readonly why: string }[] = [];
  for (const copy of copies) {
    const where = 'path' in copy ? copy.path : copy.target.location(copy.key);
    let promised: WalMoment | undefined;
    try {
      // What is promised first: a copy is replaced before its promise is.
      const moments = await momentsOfCopy(copy, origin.segmentBytes, signal);
      promised = moments.at(-1);
      noted.push(...moments);
      const found = await readOpen(origin, file, copy, signal);
      if (found.reach > reach) reach = found.reach;
      if (promised && parseLsn(promised.lsn) > found.reach) {
        const why = `${where} goes to ${formatLsn(found.reach)}, and was to go to ${promised.lsn}`;
        shorts.push({ promised: parseLsn(promised.lsn), why });
      }
    } catch (error) {
      signal?.throwIfAborted();
      const { code, message } = toBackupError(error);
      // Finished meanwhile, and stored under its own name.
      if (promised && code === 'BACKUP_DAMAGED') shorts.push({ promised: parseLsn(promised.lsn), why: message });
    }
  }
  // What one copy lacks another one may have.
  const short = shorts.find(({ promised }) => promised > reach)?.why;
  const moments = noted.filter(({ lsn }) => parseLsn(lsn) <= reach).sort((a, b) => (a.time < b.time ? -1 : 1));
  return { reach, moments, ...(short !== undefined && { short }) };
}

/** Of the looks at the source's clock that were noted of an open segment those that its bytes go to, and what to tell when that is not all. */
export function provenOf(
  file: Extract<WalFile, { number: bigint }>,
  raw: Uint8Array,
  moments: readonly WalMoment[],
): { readonly moments: readonly WalMoment[]; readonly problem?: BackupError } {
  const reach = reachOf(raw, file.number * BigInt(raw.length));
  const proven = moments.filter(({ lsn }) => parseLsn(lsn) <= reach);
  const lacking = moments.at(-1);
  if (lacking === undefined || proven.length === moments.length) return { moments };
  const problem = new BackupError(
    'BACKUP_DAMAGED',
    `the open segment ${file.name} goes to ${formatLsn(reach)} here, and what was received is said to go to ${lacking.lsn}`,
    {
      hint: 'It is not copied like that. The receiver writes it anew when it starts again: restart the daemon, and look for what else writes into its folder.',
      retryable: true,
    },
  );
  return { moments: proven, problem };
}

async function readOpen(
  { segmentBytes, systemIdentifier }: OpenOrigin,
  file: string,
  copy: WalCopy,
  signal?: AbortSignal,
): Promise<OpenCopy> {
  const raw = await fetchCopy(copy, file, systemIdentifier, signal);
  return { raw, reach: reachOf(raw, startOf(file, segmentBytes || raw.length)) };
}

/** Place of its first byte. */
function startOf(file: string, segmentBytes: number): bigint {
  const parsed = parseWalFile(file, segmentBytes);
  return parsed === undefined || parsed.kind === 'history' ? 0n : parsed.number * BigInt(segmentBytes);
}
