import { readObject } from '../catalog/catalog.ts';
import { toBackupError, type BackupError } from '../errors.ts';
import type { ReportPlace } from '../report/report-file.ts';
import { bytesContent } from '../storage/content.ts';

const FILE = 'scrub_state.json';
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

/** By target, then by key of the dump. */
type Copies = Map<string, Map<string, CheckedCopy>>;

/** How far the rolling re-read has come: kept between runs beside the reports. Losing it costs nothing but reading again. */
export class ScrubState {
  readonly #copies: Copies;

  private constructor(copies: Copies) {
    this.#copies = copies;
  }

  /** From the first place that has one; what is no such file counts as none. */
  static async load(places: readonly ReportPlace[], signal?: AbortSignal): Promise<ScrubState> {
    for (const { storage, prefix } of places) {
      try {
        const value = JSON.parse((await readObject(storage, prefix + FILE, signal)).toString('utf8')) as {
          readonly version?: unknown;
          readonly copies?: Record<string, Record<string, CheckedCopy>>;
        } | null;
        if (value?.version !== VERSION || value.copies === undefined) continue;
        return new ScrubState(
          new Map(Object.entries(value.copies).map(([target, each]) => [target, new Map(Object.entries(each))])),
        );
      } catch {
        signal?.throwIfAborted();
      }
    }
    return new ScrubState(new Map());
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
  async save(places: readonly ReportPlace[]): Promise<BackupError | undefined> {
    const copies = Object.fromEntries([...this.#copies].map(([target, each]) => [target, Object.fromEntries(each)]));
    const bytes = Buffer.from(`${JSON.stringify({ version: VERSION, copies }, null, 2)}\n`);
    let failure: BackupError | undefined;
    for (const { storage, prefix } of places) {
      try {
        await storage.put(prefix + FILE, bytesContent(bytes));
        return undefined;
      } catch (error) {
        failure ??= toBackupError(error);
      }
    }
    return failure;
  }
}
