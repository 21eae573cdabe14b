import { toBackupError, type BackupError } from '../errors.ts';
import { readLedger } from '../report/ledger-file.ts';
import { splitLines } from '../report/ledger-line.ts';
import type { CommandContext } from './command.ts';

export interface EvidenceState {
  /** Undefined where no ledger is kept. */
  readonly ledger?: string;
  readonly entries: number;
  /** Fingerprint of the key that signs from now on; undefined: new entries are not signed. */
  readonly key?: string;
  readonly last?: { readonly number: number; readonly time: string; readonly signed: boolean };
}

/** What a glance at the ledger shows. Whether it is intact is for `evidence verify` to say. */
export async function evidenceState({ parts }: CommandContext, problems: BackupError[]): Promise<EvidenceState> {
  try {
    const ledger = parts.evidence()?.ledger;
    if (!ledger) return { entries: 0 };
    const lines = splitLines((await readLedger(ledger.folder)).bytes);
    const last = lines.findLast(({ entry }) => entry !== undefined)?.entry;
    return {
      ledger: ledger.path,
      entries: lines.length,
      ...(ledger.key !== undefined && { key: ledger.key }),
      ...(last && { last: { number: last.number, time: last.time, signed: last.key !== undefined } }),
    };
  } catch (error) {
    problems.push(toBackupError(error));
    return { entries: 0 };
  }
}

export function evidenceText({ ledger, entries, key, last }: EvidenceState): string {
  if (ledger === undefined) return 'none is kept';
  const signed = key === undefined ? 'NOT SIGNED: no key is configured' : `signed with key ${key}`;
  return `${entries} entries${last ? `, the last at ${last.time}` : ''}, ${signed}, ${ledger}`;
}
