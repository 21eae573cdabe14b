import { describe, expect, test } from '@jest/globals';
import { createProgressBar } from '../../../src/cli/progress-bar.ts';

function screen(isTTY: boolean) {
  let text = '';
  return { write: (part: string) => (text += part), isTTY, columns: 80, text: () => text };
}

describe('Progress', () => {
  test('is plain lines elsewhere than on a terminal: one for each phase and quarter', () => {
    const to = screen(false);
    const bar = createProgressBar(to);
    bar.phase('check targets');
    bar.phase('dump');
    for (let done = 0; done <= 100; done += 1) bar.progress(done * 1024, 100 * 1024);
    bar.end('done');
    expect(to.text()).toBe('check targets …\ndump …\ndump:  25 %, 25.0 KiB\ndump:  50 %, 50.0 KiB\ndump:  75 %, 75.0 KiB\n');
  });

  test('says which phase failed', () => {
    const to = screen(false);
    const bar = createProgressBar(to);
    bar.phase('dump');
    bar.end('failed');
    bar.end('failed');
    expect(to.text()).toBe('dump …\ndump: failed\n');
  });

  test('is a bar on a terminal, rewritten in place and ended by a mark', () => {
    const to = screen(true);
    const bar = createProgressBar(to);
    bar.phase('dump');
    bar.progress(512, 1024);
    bar.progress(512, 1024);
    bar.phase('store');
    bar.end('failed');
    const [dump, store] = to.text().split('\n');
    expect(dump!.split('\r').map((part) => part.replace('\x1b[2K', ''))).toEqual([
      ...['', '  dump …', `  dump ${'█'.repeat(15)}${'░'.repeat(15)}  50 % 512 B`, '✓ dump'],
    ]);
    expect(store).toContain('✗ store');
  });

  test('never says more than all: totals are often estimates', () => {
    const to = screen(true);
    const bar = createProgressBar(to);
    bar.phase('dump');
    bar.progress(2048, 1024);
    bar.progress(0, 0);
    expect(to.text()).toContain('100 %');
    expect(to.text()).not.toContain('200 %');
  });
});
