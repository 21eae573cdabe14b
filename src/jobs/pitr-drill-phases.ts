import type { Clock } from '../clock.ts';
import type { CheckResult } from '../drill/check.ts';
import { toBackupError, type ErrorCode } from '../errors.ts';
import type { Log } from '../log.ts';
import type { DrillPhase } from '../report/drill-report.ts';
import { findingOf } from './drill-record.ts';

/** Faults of this machine: they prove nothing about what is stored. */
const OF_THE_MACHINE: ReadonlySet<ErrorCode> = new Set([
  ...([
    'CLIENT_PROGRAM_MISSING',
    'SERVER_START_FAILED',
    'STORAGE_FULL',
    'STORAGE_UNAVAILABLE',
    'LOCALE_MISSING',
    'INTERNAL',
  ] as const),
]);

/** Runs the phases of a drill of point-in-time recovery, each with its time and its verdict. */
export class PitrDrillPhases {
  readonly done: DrillPhase[] = [];
  readonly #parts: {
    readonly clock: Clock;
    readonly log: Log;
    readonly signal: AbortSignal;
    readonly before: (name: string) => void;
  };

  constructor(parts: {
    readonly clock: Clock;
    readonly log: Log;
    readonly signal: AbortSignal;
    readonly before: (name: string) => void;
  }) {
    this.#parts = parts;
  }

  /** What the phase came to; `undefined` when it threw, which is its verdict. Throws only when aborted. */
  async run<T extends CheckResult>(name: string, work: () => Promise<T>): Promise<T | undefined> {
    const { clock, log, signal, before } = this.#parts;
    before(name);
    const began = clock.monotonic();
    let result: T | undefined;
    let check: CheckResult;
    try {
      check = result = await work();
    } catch (thrown) {
      if (signal.aborted) throw thrown;
      const error = toBackupError(thrown);
      check = { verdict: OF_THE_MACHINE.has(error.code) ? 'inconclusive' : 'failed', findings: [findingOf(error)] };
    }
    const seconds = Math.round(clock.monotonic() - began) / 1000;
    this.done.push({ name, verdict: check.verdict, seconds, findings: check.findings });
    log[check.verdict === 'passed' ? 'info' : 'warn'](
      { phase: name, verdict: check.verdict, seconds, findings: check.findings.slice(0, 5) },
      `drill: ${name} ${check.verdict}`,
    );
    return result;
  }

  skip(names: readonly string[], message: string): void {
    for (const name of names) {
      if (this.done.some((phase) => phase.name === name)) continue;
      this.done.push({ name, verdict: 'skipped', seconds: 0, findings: [{ object: 'the drill', message }] });
    }
  }

  /** Everything but the clean-up has to pass. */
  status(): 'success' | 'failure' | 'inconclusive' {
    const proofs = this.done.filter(({ name }) => name !== 'clean-up').map(({ verdict }) => verdict);
    if (proofs.includes('failed')) return 'failure';
    return proofs.every((verdict) => verdict === 'passed') ? 'success' : 'inconclusive';
  }
}
