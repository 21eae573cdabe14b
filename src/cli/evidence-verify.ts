import { readFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { BackupError } from '../errors.ts';
import { errorReport } from '../report/backup-report.ts';
import { readPublicKeys, readSigningKey, type PublicKey } from '../report/evidence-key.ts';
import { LEDGER } from '../report/ledger-file.ts';
import { verifyLedger, type LedgerVerdict } from '../report/verify-ledger.ts';
import { slotsBetween } from '../scheduler.ts';
import { onDisk } from '../storage/disk-error.ts';
import type { CommandContext } from './command.ts';
import { countText } from '../quantities.ts';

export interface EvidenceFlags {
  readonly publicKey?: readonly string[];
  readonly from?: Date;
  readonly to?: Date;
  readonly folder?: string;
  readonly againstTargets?: boolean;
}

/** Exit status when nothing was found wrong, but not everything could be checked. */
const INCONCLUSIVE = new BackupError('BACKUP_INCOMPLETE', '').exitStatus;

/** Checks the whole ledger, and names its first break. */
export async function evidenceVerify(context: CommandContext, flags: EvidenceFlags): Promise<number> {
  const { program, config, signal, clock, print } = context;
  const folder = flags.folder === undefined ? config.evidence.folder : resolve(flags.folder);
  if (folder === undefined) {
    throw new BackupError('USAGE', 'there is no folder of reports, and so no ledger', {
      hint: 'Name one: --folder, or BACKUP_REPORT_DIR.',
    });
  }
  const verdict = await verifyLedger({
    folder,
    keys: await publicKeys(flags.publicKey ?? [], config.evidence.key),
    ...(flags.from && { from: flags.from }),
    ...(flags.to && { to: flags.to }),
    now: clock.now(),
    slotsBetween,
    targets: flags.againstTargets === true ? [...new Set(program.sources.flatMap(({ targets }) => targets))] : [],
    signal,
  });
  const path = join(folder, LEDGER);
  const [first] = verdict.breaks;
  print(
    {
      ledger: path,
      intact: first === undefined,
      ...verdict,
      targets: verdict.targets.map(({ error, ...target }) => ({ ...target, ...(error && { error: errorReport(error) }) })),
    },
    verdictLines(path, verdict),
  );
  if (first) {
    const more = verdict.breaks.length > 1 ? ` (${verdict.breaks.length - 1} more)` : '';
    throw new BackupError('EVIDENCE_BROKEN', `${path} is broken at line ${first.line}: ${first.what}: ${first.means}${more}`, {
      hint: 'Keep the ledger, the reports and the heads on the targets as they are, and find out who wrote there: docs/evidence.md.',
    });
  }
  const unsure = verdict.signatures.unchecked > 0 || verdict.targets.some(({ error }) => error !== undefined);
  return unsure ? INCONCLUSIVE : 0;
}

async function publicKeys(files: readonly string[], ownKey: string | undefined): Promise<PublicKey[]> {
  if (files.length === 0) return ownKey === undefined ? [] : [readSigningKey(ownKey).public];
  const texts = await Promise.all(files.map((file) => onDisk('read', file, () => readFile(file, 'utf8'))));
  return texts.flatMap((text, index) => readPublicKeys(text, files[index]!));
}

function verdictLines(path: string, verdict: LedgerVerdict): string[] {
  const { entries, signatures, reports, slots, head, targets, breaks, notes } = verdict;
  const compared = targets.flatMap(({ target, heads, error }) => (error ? [] : [`${countText(heads)} head(s) on ${target}`]));
  const title = breaks.length === 0 ? `${path} is intact.` : `${path} is BROKEN.`;
  return [
    title,
    `  entries   ${countText(entries)} (${countText(signatures.signed)} with a good signature)`,
    `  reports   ${countText(reports.checked)} checked, ${countText(reports.removed)} removed by the clean-up that says so`,
    `  slots     ${countText(slots)} of the schedule, each with one entry`,
    `  targets   ${targets.length === 0 ? 'not compared (--against-targets)' : compared.join(', ') || 'not compared'}`,
    `  head      entry ${head.number}, SHA-256 ${head.sha256}`,
    ...breaks.map(({ line, what, means }) => `  BREAK     line ${line}: ${what}: ${means}`),
    ...notes.map((note) => `  note      ${note}`),
  ];
}
