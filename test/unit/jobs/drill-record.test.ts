import { describe, expect, test } from '@jest/globals';
import { systemClock } from '../../../src/clock.ts';
import type { CheckResult } from '../../../src/drill/check.ts';
import { PHASES, statusOf, type PhaseName } from '../../../src/drill/verdict.ts';
import { DrillRecord } from '../../../src/jobs/drill-record.ts';
import { createLog } from '../../../src/log.ts';

const PASSED: CheckResult = { verdict: 'passed', findings: [] };

function recordWith(limits: Partial<Record<PhaseName, number>>, signal = new AbortController().signal): DrillRecord {
  const timeouts = { ...(Object.fromEntries(PHASES.map((name) => [name, 60_000])) as Record<PhaseName, number>), ...limits };
  return new DrillRecord({ names: PHASES, clock: systemClock, log: createLog('silent'), signal, timeouts, graceMs: 5 });
}

async function passAllBefore(record: DrillRecord, last: PhaseName): Promise<void> {
  for (const name of PHASES.slice(0, PHASES.indexOf(last))) await record.phase(name, async () => PASSED);
}

describe('The phases of a drill', () => {
  test('do not wait for a clean-up that hangs; what is proven stays proven, and the setting is named', async () => {
    const record = recordWith({ 'clean-up': 1 });
    await passAllBefore(record, 'clean-up');
    expect(await record.phase('clean-up', () => new Promise<CheckResult>(() => undefined))).toBeUndefined();
    expect(record.phases().at(-1)).toMatchObject({
      name: 'clean-up',
      verdict: 'inconclusive',
      findings: [{ object: 'time limit', hint: expect.stringContaining('DRILL_TIMEOUT_CLEAN_UP') }],
    });
    expect(statusOf(record.verdicts())).toBe('success');
  });

  test('that prove something and hang are not proven', async () => {
    const record = recordWith({ equality: 1 });
    for (const name of PHASES) {
      const hang = name === 'equality';
      await record.phase(name, () => (hang ? new Promise<CheckResult>(() => undefined) : Promise.resolve(PASSED)));
    }
    expect(statusOf(record.verdicts())).toBe('inconclusive');
  });

  test('clean up after an abort, and nothing else', async () => {
    const stop = new AbortController();
    const record = recordWith({}, stop.signal);
    stop.abort();
    await expect(record.phase('fetch', async () => PASSED)).rejects.toThrow();
    let aborted: boolean | undefined;
    await record.phase('clean-up', async (signal) => {
      aborted = signal.aborted;
      return PASSED;
    });
    expect(aborted).toBe(false);
    expect(record.verdicts().get('clean-up')).toBe('passed');
  });
});
