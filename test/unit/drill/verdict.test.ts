import { describe, expect, test } from '@jest/globals';
import { exitStatusOf, PHASES, statusOf, type PhaseName, type PhaseVerdict } from '../../../src/drill/verdict.ts';

const all = (changes: Partial<Record<PhaseName, PhaseVerdict>> = {}) =>
  new Map<PhaseName, PhaseVerdict>(PHASES.map((name) => [name, changes[name] ?? 'passed']));

describe('The status of a drill', () => {
  test('is success only when every phase that proves something passed', () => {
    expect(statusOf(all())).toBe('success');
    for (const name of PHASES.filter((each) => each !== 'clean-up')) {
      expect(statusOf(all({ [name]: 'failed' }))).toBe('failure');
      expect(statusOf(all({ [name]: 'inconclusive' }))).toBe('inconclusive');
      expect(statusOf(all({ [name]: 'skipped' }))).toBe('inconclusive');
      expect(statusOf(new Map([...all()].filter(([each]) => each !== name)))).toBe('inconclusive');
    }
    expect(statusOf(new Map())).toBe('inconclusive');
  });

  test('is failure when one failed, whatever else could not be checked', () => {
    expect(statusOf(all({ fetch: 'failed', health: 'inconclusive', assertions: 'skipped' }))).toBe('failure');
  });

  test('does not suffer from what is left behind', () => {
    expect(statusOf(all({ 'clean-up': 'failed' }))).toBe('success');
  });

  test('gives the exit status, which alone knows of the targets', () => {
    expect(exitStatusOf('success', true)).toBe(0);
    expect(exitStatusOf('success', false)).toBe(3);
    expect([exitStatusOf('failure', true), exitStatusOf('failure', false)]).toEqual([1, 1]);
    expect([exitStatusOf('inconclusive', true), exitStatusOf('inconclusive', false)]).toEqual([2, 2]);
  });
});
