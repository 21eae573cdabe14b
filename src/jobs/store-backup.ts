import { SIDE } from '../catalog/names.ts';
import type { CopyEntry } from '../catalog/manifest.ts';
import type { Clock } from '../clock.ts';
import { toBackupError, BackupError } from '../errors.ts';
import { errorReport, type TargetReport } from '../report/backup-report.ts';
import { bytesContent } from '../storage/content.ts';
import type { PutOutcome } from '../storage/put-outcome.ts';
import type { ReplicatedWrite } from '../storage/replicated-write.ts';
import type { Content, Storage } from '../storage/storage.ts';

export interface SideFile {
  readonly suffix: typeof SIDE.toc | typeof SIDE.globals;
  readonly content: Content;
}

export interface StoreBackupParts {
  /** Key of the dump file. */
  readonly key: string;
  readonly write: ReplicatedWrite;
  readonly sides: readonly SideFile[];
  /** Retrying where that makes sense: a failure here is final. */
  readonly targets: readonly Storage[];
  readonly spool: Storage | undefined;
  /** The bytes of the manifest that names these copies. */
  readonly manifest: (copies: readonly CopyEntry[]) => Uint8Array;
  readonly clock: Clock;
  readonly signal: AbortSignal;
}

/** A finished dump on its way: first the local copy, then the others. */
export class StoreBackup {
  readonly #parts: StoreBackupParts;
  readonly #failures = new Map<string, BackupError>();
  readonly #copies = new Map<string, CopyEntry>();
  readonly #manifests = new Set<string>();
  #outcomes: readonly PutOutcome[] = [];

  constructor(parts: StoreBackupParts) {
    this.#parts = parts;
  }

  /**
   * Side files, then the dump, then the manifest on the local target; without one, on all. The signal is not heeded once
   * the dump is visible: what follows takes a moment, and without it a whole dump would be left without its manifest.
   */
  async storeLocally(): Promise<void> {
    const { spool, targets, write, signal } = this.#parts;
    await this.#storeSides(spool ? [spool] : targets, signal);
    signal.throwIfAborted();
    this.#noteOutcomes(await write.commit());
    if (spool) await this.#storeManifest(spool);
  }

  /** The other targets, as they finish. Throws only if the manifest is nowhere in the end: then there is no backup. */
  async storeElsewhere(): Promise<void> {
    const { spool, targets, write, signal } = this.#parts;
    const others = targets.filter((target) => target !== spool);
    if (spool) await this.#storeSides(others, signal);
    this.#noteOutcomes(await write.settled());
    await Promise.all(others.map((target) => this.#storeManifest(target)));
    // Again, now that it can name all copies.
    if (spool && this.#copies.size > 1) await this.#storeManifest(spool);
    if (this.#manifests.size > 0) return;
    const reasons = [...this.#failures].map(([target, error]) => `${target}: ${error.message}`).join('; ');
    throw new BackupError('STORAGE_FAILED', `the dump ${this.#parts.key} is stored, but its manifest is not (${reasons})`, {
      hint: `Nothing removes the dump. Make the target usable, then: backup-manager reindex ${this.#parts.key}`,
    });
  }

  reports(): TargetReport[] {
    return this.#parts.targets.map((target) => {
      const outcome = this.#outcomes.find((each) => each.target === target.name);
      const error = this.#failures.get(target.name) ?? (outcome?.ok === true ? undefined : outcome?.error);
      const stored = this.#manifests.has(target.name) && error === undefined;
      return {
        target: target.name,
        state: stored ? 'stored' : 'failed',
        ...(outcome?.result && {
          location: target.location(this.#parts.key),
          bytes: outcome.result.size,
          sha256: outcome.result.sha256,
          checkedBy: outcome.result.checkedBy,
        }),
        repaired: outcome?.ok === true && outcome.repaired === true,
        ...(error && { error: errorReport(error) }),
      };
    });
  }

  async #storeSides(targets: readonly Storage[], signal: AbortSignal): Promise<void> {
    const { key, sides } = this.#parts;
    await Promise.all(
      targets.map((target) =>
        this.#attempt(target, async () => {
          for (const { suffix, content } of sides) await target.put(key + suffix, content, signal);
        }),
      ),
    );
  }

  /** Only beside a whole dump with all its side files: the manifest is what makes it a backup. */
  async #storeManifest(target: Storage): Promise<void> {
    const { key, manifest, targets } = this.#parts;
    if (!this.#copies.has(target.name) || this.#failures.has(target.name)) return;
    const copies = targets.flatMap(({ name }) => this.#copies.get(name) ?? []);
    await this.#attempt(target, async () => {
      await target.put(key + SIDE.manifest, bytesContent(manifest(copies)));
      this.#manifests.add(target.name);
    });
  }

  /** A target's failure is its own: the others go on, the report names it and the outcome is not `success`. */
  async #attempt(target: Storage, run: () => Promise<void>): Promise<void> {
    try {
      await run();
    } catch (error) {
      this.#failures.set(target.name, toBackupError(error));
    }
  }

  #noteOutcomes(outcomes: readonly PutOutcome[]): void {
    this.#outcomes = outcomes;
    for (const { target, ok, result } of outcomes) {
      const storage = this.#parts.targets.find(({ name }) => name === target);
      if (!ok || !result || !storage || this.#copies.has(target) || this.#failures.has(target)) continue;
      this.#copies.set(target, {
        target,
        location: storage.location(this.#parts.key),
        sha256: result.sha256,
        storedAt: this.#parts.clock.now().toISOString(),
        checkedBy: result.checkedBy,
      });
    }
  }
}
