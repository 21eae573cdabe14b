import type { Clock } from '../clock.ts';
import type { CheckResult, Finding, Verdict } from '../drill/check.ts';
import { CLEAN_UP, type PhaseName, type PhaseVerdict } from '../drill/verdict.ts';
import { BackupError, toBackupError } from '../errors.ts';
import type { Log } from '../log.ts';
import type { DrillPhase } from '../report/drill-report.ts';

const GRACE_MS = 20_000;

type Judge = (error: BackupError) => Promise<CheckResult>;

export interface RecordParts<N extends string> {
  /** The phases of the drill, in order. */
  readonly names: readonly N[];
  readonly clock: Clock;
  readonly log: Log;
  /** Aborted when the drill is to end. */
  readonly signal: AbortSignal;
  /** How long each phase may take, ms; one that is not named may take as long as it needs. */
  readonly timeouts: Readonly<Partial<Record<N, number>>>;
  /** The phase that a limit is configured for, where one serves for several; by default its own. */
  readonly limitOf?: (name: N) => string;
  /** What it means that a phase threw, where the phase does not say so itself; by default that it could not be checked. */
  readonly judge?: Judge;
  /** A phase begins. */
  readonly before?: (name: N) => Promise<void>;
  /** How long a phase that ran out of time may take to let go before the drill goes on without it; 20 s by default. */
  readonly graceMs?: number;
}

/** Runs the phases of a drill: each timed, with its own time limit and its own verdict. */
export class DrillRecord<N extends string = PhaseName> {
  readonly #parts: RecordParts<N>;
  readonly #done = new Map<N, DrillPhase>();

  constructor(parts: RecordParts<N>) {
    this.#parts = parts;
  }

  /**
   * Runs one phase and returns what it found, or `undefined` when it threw or ran out of time: that is its verdict, and the phases
   * that can do without it go on. Throws only when the drill is aborted.
   */
  async phase<T extends CheckResult>(
    name: N,
    run: (signal: AbortSignal) => Promise<T>,
    judge: Judge = this.#parts.judge ?? (async (error) => couldNotCheck(error)),
  ): Promise<T | undefined> {
    const { clock, signal, timeouts } = this.#parts;
    // What clears up runs after an abort, too.
    if (name !== CLEAN_UP) signal.throwIfAborted();
    await this.#parts.before?.(name);
    const began = clock.monotonic();
    const finish = (result: CheckResult) => this.#finish(name, result, (clock.monotonic() - began) / 1000);
    const limit = new AbortController();
    const limitMs = timeouts[name];
    const timer =
      limitMs === undefined ? undefined : setTimeout(() => limit.abort(new BackupError('ABORTED', 'out of time')), limitMs);
    const within = name === CLEAN_UP ? limit.signal : AbortSignal.any([signal, limit.signal]);
    try {
      const result = await unlessStuck(run(within), limit.signal, this.#parts.graceMs ?? GRACE_MS);
      finish(result);
      return result;
    } catch (thrown) {
      if (signal.aborted && name !== CLEAN_UP) {
        finish({ verdict: 'inconclusive', findings: [{ object: 'the drill', message: 'it was aborted in this phase' }] });
        throw thrown;
      }
      const isLate = limitMs !== undefined && limit.signal.aborted;
      finish(isLate ? outOfTime(this.#parts.limitOf?.(name) ?? name, limitMs) : await judge(toBackupError(thrown)));
      return undefined;
    } finally {
      clearTimeout(timer);
    }
  }

  /** For phases that the drill did not get to. */
  skip(names: readonly N[], message: string): void {
    for (const name of names) {
      if (!this.#done.has(name))
        this.#done.set(name, { name, verdict: 'skipped', seconds: 0, findings: [{ object: 'the drill', message }] });
    }
  }

  /** Every phase, in order. */
  phases(): DrillPhase[] {
    return this.#parts.names.flatMap((name) => this.#done.get(name) ?? []);
  }

  verdicts(): ReadonlyMap<N, PhaseVerdict> {
    return new Map([...this.#done].map(([name, { verdict }]) => [name, verdict]));
  }

  seconds(name: N): number {
    return this.#done.get(name)?.seconds ?? 0;
  }

  #finish(name: N, { verdict, findings }: CheckResult, seconds: number): void {
    const took = Math.max(0, Math.round(seconds * 1000) / 1000);
    this.#done.set(name, { name, verdict, seconds: took, findings });
    const level = verdict === 'passed' ? 'info' : 'warn';
    this.#parts.log[level]({ phase: name, verdict, seconds: took, findings: findings.slice(0, 5) }, `drill: ${name} ${verdict}`);
  }
}

/** A check that could not be made. */
export function couldNotCheck(error: BackupError): CheckResult {
  return { verdict: 'inconclusive', findings: [findingOf(error)] };
}

export function findingOf({ message, hint, code }: BackupError): Finding {
  return { object: code, message, ...(hint !== undefined && { hint }) };
}

/** The worst of several verdicts. */
export function worst(verdicts: readonly Verdict[]): Verdict {
  return verdicts.includes('failed') ? 'failed' : verdicts.includes('inconclusive') ? 'inconclusive' : 'passed';
}

function outOfTime(name: string, limitMs: number): CheckResult {
  const setting = `DRILL_TIMEOUT_${name.replace(/[ -]/g, '_').toUpperCase()}`;
  const message = `it did not end within ${Math.round(limitMs / 6000) / 10} minutes and was stopped`;
  return {
    verdict: 'inconclusive',
    findings: [{ object: 'time limit', message, hint: `Find out what it waited for, or allow more: ${setting}.` }],
  };
}

/** The result of `work`; or, a while after its time is up, a rejection, whatever becomes of it. */
async function unlessStuck<T>(work: Promise<T>, limit: AbortSignal, graceMs: number): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const stuck = new Promise<never>((_resolve, reject) => {
    const onLimit = () => (timer = setTimeout(() => reject(limit.reason as Error), graceMs));
    limit.addEventListener('abort', onLimit, { once: true });
  });
  try {
    return await Promise.race([work, stuck]);
  } finally {
    clearTimeout(timer);
  }
}
