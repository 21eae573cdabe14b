import { readObject } from '../catalog/catalog.ts';
import { encodeSource } from '../catalog/names.ts';
import { toBackupError, type BackupError } from '../errors.ts';
import type { ReportPlace } from '../report/report-file.ts';
import { bytesContent } from '../storage/content.ts';

const fileOf = (source: string | undefined) =>
  source === undefined ? 'scrub_state.json' : `scrub_state_${encodeSource(source)}.json`;
const VERSION = 1;

/** What is known of one copy by re-reading it. */
export interface CheckedCopy {
  /** Of the dump file that was read: another file under the same name is another copy. */
  readonly sha256: string;
  readonly verdict: 'passed' | 'partly' | 'damaged';
  /** When it was last read to its end. */
  readonly checkedAt?: string;
  /** Of `partly`: the first member that was not read. */
  readonly nextMember?: number;
}

interface StateFile {
  readonly version: number;
  readonly savedAt: string;
  /** By target, then by key of the dump. */
  readonly copies: Record<string, Record<string, CheckedCopy>>;
}

type Copies = Map<string, Map<string, CheckedCopy>>;

/** How far the rolling re-read has come: kept between runs beside the reports. Losing it costs nothing but reading again. */
export class ScrubState {
  readonly #copies: Copies;

  private constructor(copies: Copies) {
    this.#copies = copies;
  }

  /**
   * The newest of all places, of one of several sources or of the only one. What is no such file counts as none; a place that cannot be asked throws: what is known to be damaged must
   * not be forgotten for it.
   */
  static async load(places: readonly ReportPlace[], source: string | undefined, signal?: AbortSignal): Promise<ScrubState> {
    const found: StateFile[] = [];
    for (const { storage, prefix } of places) {
      try {
        const value = JSON.parse(
          (await readObject(storage, prefix + fileOf(source), signal)).toString('utf8'),
        ) as Partial<StateFile> | null;
        if (value?.version === VERSION && value.copies !== undefined && value.savedAt !== undefined)
          found.push(value as StateFile);
      } catch (error) {
        if (!(error instanceof SyntaxError) && toBackupError(error).code !== 'STORAGE_MISSING') throw error;
      }
    }
    const newest = found.sort((a, b) => b.savedAt.localeCompare(a.savedAt))[0];
    return new ScrubState(
      new Map(Object.entries(newest?.copies ?? {}).map(([target, copies]) => [target, new Map(Object.entries(copies))])),
    );
  }

  /** What is known of a copy of the dump file with this checksum. */
  of(target: string, key: string, sha256: string | undefined): CheckedCopy | undefined {
    const known = this.#copies.get(target)?.get(key);
    return known && known.sha256 === sha256 ? known : undefined;
  }

  note(target: string, key: string, copy: CheckedCopy): void {
    const copies = this.#copies.get(target) ?? new Map<string, CheckedCopy>();
    this.#copies.set(target, copies.set(key, copy));
  }

  /** Leaves out what is not stored any more. */
  keepOnly(exists: (target: string, key: string) => boolean): void {
    for (const [target, copies] of this.#copies) {
      for (const key of copies.keys()) if (!exists(target, key)) copies.delete(key);
    }
  }

  /** In the first place that takes it; returns why none does. */
  async save(places: readonly ReportPlace[], source: string | undefined, now: Date): Promise<BackupError | undefined> {
    const copies = Object.fromEntries([...this.#copies].map(([target, each]) => [target, Object.fromEntries(each)]));
    const bytes = Buffer.from(`${JSON.stringify({ version: VERSION, savedAt: now.toISOString(), copies }, null, 2)}\n`);
    let failure: BackupError | undefined;
    for (const { storage, prefix } of places) {
      try {
        await storage.put(prefix + fileOf(source), bytesContent(bytes));
        return undefined;
      } catch (error) {
        failure ??= toBackupError(error);
      }
    }
    return failure;
  }
}
