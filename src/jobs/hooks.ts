import { basename } from 'node:path';
import { BackupError, toBackupError } from '../errors.ts';
import type { Log } from '../log.ts';
import type { ConnectionOptions } from '../postgres/connection.ts';
import type { BackupReport } from '../report/backup-report.ts';
import { findHooks, type HookFiles, type HookStage } from './hook-files.ts';
import { runHook } from './hook-process.ts';

export interface HooksParts {
  /** Holds `pre-backup.d`, `post-backup.d` and `error-backup.d`. */
  readonly directory: string;
  /** How long each hook may take. */
  readonly timeoutMs: number;
  readonly source: string;
  readonly connection: ConnectionOptions;
}

/** How the hooks before the backup went: whoever undoes what they did must know. */
export type PreState = 'none' | 'begun' | 'done';

/** When a run is told to stop, its hooks have this long. Docker waits ten seconds in all. */
const STOPPING_MS = 3000;

/** The programs of others that run around a backup. */
export class Hooks {
  #pre: PreState = 'none';
  readonly #parts: HooksParts;
  readonly #log: Log;
  readonly #warn: (text: string) => void;

  /** `warn` takes what did not go well and stops nothing. */
  constructor(parts: HooksParts, log: Log, warn: (text: string) => void) {
    this.#parts = parts;
    this.#log = log;
    this.#warn = warn;
  }

  /** Before anything is written. Throws `HOOK_FAILED` at the first that fails: there must be no backup then. */
  async before(signal: AbortSignal, phase: (run: () => Promise<void>) => Promise<void>): Promise<void> {
    const { run } = await this.#find('pre');
    if (run.length > 0) await phase(() => this.#runBefore(run, signal));
  }

  async #runBefore(run: readonly string[], signal: AbortSignal): Promise<void> {
    this.#pre = 'begun';
    for (const path of run) {
      try {
        await this.#run('pre', path, {}, signal);
      } catch (thrown) {
        const error = toBackupError(thrown);
        if (error.code !== 'HOOK_FAILED') throw error;
        throw new BackupError('HOOK_FAILED', `${error.message}; no backup was made`, {
          cause: error,
          hint: `It may stop a backup on purpose. ${error.hint ?? ''}`.trim(),
        });
      }
    }
    this.#pre = 'done';
  }

  /** After it, `post` when a backup exists, `error` when not. One that fails becomes a warning, and the next one runs. */
  async after(summary: BackupReport, signal: AbortSignal): Promise<void> {
    const stage = summary.outcome === 'success' || summary.outcome === 'incomplete' ? 'post' : 'error';
    const facts = factsOf(summary);
    try {
      const { run } = await this.#find(stage);
      await soonAfter(signal, async (limited) => {
        for (const path of run) {
          await this.#run(stage, path, facts, limited).catch((error: unknown) => this.#warn(toBackupError(error).message));
        }
      });
    } catch (error) {
      this.#warn(toBackupError(error).message);
    }
  }

  async #find(stage: HookStage): Promise<HookFiles> {
    const found = await findHooks(this.#parts.directory, stage);
    for (const each of found.left) this.#warn(`a hook is not run: ${each}`);
    return found;
  }

  async #run(stage: HookStage, path: string, facts: Record<string, string>, signal: AbortSignal) {
    const { source, connection, timeoutMs } = this.#parts;
    const { host, port, database, user } = connection;
    const own = { HOOK_STAGE: stage, HOOK_PRE: this.#pre, HOOK_SOURCE: source };
    const where = { HOOK_DATABASE: database, HOOK_HOST: host, HOOK_PORT: String(port), HOOK_USER: user };
    const hook = basename(path);
    this.#log.info({ hook, stage }, 'a hook begins');
    await runHook({
      ...{ path, timeoutMs, signal, env: { ...own, ...where, ...facts } },
      onLine: (line) => this.#log.info({ hook, stage }, line),
    });
    this.#log.info({ hook, stage }, 'a hook ended');
  }
}

/**
 * Runs with a signal that aborts a while after `signal`, or when that has aborted already, a while from now: hooks may have to
 * undo what `pre` did.
 */
async function soonAfter(signal: AbortSignal, run: (limited: AbortSignal) => Promise<void>): Promise<void> {
  const controller = new AbortController();
  let timer: NodeJS.Timeout | undefined;
  const onAbort = (): void => {
    timer = setTimeout(() => controller.abort(signal.reason), STOPPING_MS);
  };
  if (signal.aborted) onAbort();
  else signal.addEventListener('abort', onAbort, { once: true });
  try {
    await run(controller.signal);
  } finally {
    clearTimeout(timer);
    signal.removeEventListener('abort', onAbort);
  }
}

function factsOf(summary: BackupReport): Record<string, string> {
  const { outcome, startedAt, finishedAt, durationSeconds, label, error, sizes, rows, targets, warnings } = summary;
  const stored = targets.filter(({ state }) => state === 'stored');
  const facts: Record<string, string | number | undefined> = {
    HOOK_OUTCOME: outcome,
    HOOK_STARTED: startedAt,
    HOOK_FINISHED: finishedAt,
    HOOK_SECONDS: durationSeconds,
    HOOK_LABEL: label,
    HOOK_BYTES: sizes?.file,
    HOOK_ROWS: rows,
    HOOK_LOCATIONS: stored.length === 0 ? undefined : stored.map(({ location }) => location).join('\n'),
    HOOK_SHA256: stored[0]?.sha256,
    HOOK_WARNINGS: warnings.length,
    HOOK_ERROR_CODE: error?.code,
    HOOK_ERROR: error?.message,
  };
  return Object.fromEntries(
    // No variable of a process can hold a null character.
    Object.entries(facts).flatMap(([name, value]) => (value === undefined ? [] : [[name, String(value).replaceAll('\0', '')]])),
  );
}
