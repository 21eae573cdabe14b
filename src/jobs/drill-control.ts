import type { TableDigest } from '../catalog/table-digest.ts';
import { noFindings, type CheckResult, type Finding } from '../drill/check.ts';
import { compareTables } from '../drill/compare-tables.ts';
import { bitsToDamage, copyTableToAlter, type AlteredTable } from '../drill/negative-control.ts';
import { withFlippedBit } from '../drill/one-bit.ts';
import { digestTables } from '../dump/digest-tables.ts';
import { BackupError } from '../errors.ts';
import { createMemberReader } from '../restore/member-reader.ts';
import { restoreBackup } from '../restore/restore.ts';
import type { RunContext } from '../restore/phases.ts';
import type { Restored, Stage } from './drill-restore.ts';

const HINT =
  'The drill cannot tell good from bad here, so that what it says of this backup is worth nothing. Please report this.';

/**
 * Damages a copy on purpose, twice: the restore must refuse a bit that differs, and the comparison must find a row that does. A drill
 * whose alarm does not ring has proven nothing.
 */
export async function tryDamage(stage: Stage, { connection }: Restored, context: RunContext): Promise<CheckResult> {
  const findings: Finding[] = [];
  const missed: string[] = [...(await missedBits(stage, context))];
  const altered = await copyTableToAlter(connection, stage.chosen.manifest.tables);
  if (altered) missed.push(...(await missedRow(stage, connection, altered, context)));
  else findings.push({ object: 'a changed row', message: 'not tried: no table has a row with a value in it' });
  return {
    verdict: missed.length > 0 ? 'failed' : 'passed',
    findings: [...missed.map((message) => ({ object: 'negative control', message, hint: HINT })), ...findings],
  };
}

/** One bit in the head, against a whole restore; one in the largest chunk, against what reads rows for the loaders. */
async function missedBits(stage: Stage, context: RunContext): Promise<string[]> {
  const { chosen, server, programs, folder, workers, extensions } = stage;
  const { manifest, backup, fetched } = chosen;
  const missed: string[] = [];
  for (const { index, at } of bitsToDamage(manifest)) {
    const source = { copies: [withFlippedBit(fetched.storage, backup.key, at)], key: backup.key, manifest };
    const refused = await isRefused(async () => {
      if (index === 0) {
        const input = { source, connection: server.connection, programs, temporaryFolder: folder };
        await restoreBackup(
          input,
          { database: `${server.prefix}damaged`, loaders: workers, analyze: false, extensions },
          context,
        );
      } else {
        for await (const _ of createMemberReader(source).read(index, index + 1, context.signal));
      }
    }, context.signal);
    if (!refused) missed.push(`a bit of member ${index} (byte ${at} of the dump) was turned round, and the restore took it`);
  }
  return missed;
}

async function isRefused(attempt: () => Promise<void>, signal: AbortSignal): Promise<boolean> {
  try {
    await attempt();
    return false;
  } catch (error) {
    signal.throwIfAborted();
    if (error instanceof BackupError && error.code === 'BACKUP_DAMAGED') return true;
    throw error;
  }
}

/** Through the same digests and the same comparison as the equality of the whole. */
async function missedRow(
  { chosen: { manifest }, workers }: Stage,
  connection: Restored['connection'],
  { original, copy, alter }: AlteredTable,
  { signal }: RunContext,
): Promise<string[]> {
  const equal = async (): Promise<boolean> => {
    const options = { connection, tables: [copy], encoding: manifest.database.encoding, workers, signal };
    const digests = (await digestTables(options)).map((digest): TableDigest => ({
      ...digest,
      schema: original.schema,
      name: original.name,
    }));
    const [table] = await compareTables({ ...manifest, tables: [original] }, digests, undefined, noFindings());
    return table?.equal === true;
  };
  const name = `${original.schema}.${original.name}`;
  if (!(await equal())) return [`a copy of ${name} was found to differ although nothing in it was changed`];
  await alter();
  return (await equal()) ? [`one value of one row in a copy of ${name} was changed, and the comparison did not see it`] : [];
}
