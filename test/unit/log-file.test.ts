import { chmod, mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { followLines, lastLines, type LogLine } from '../../src/cli/log-lines.ts';
import { createLogFile } from '../../src/log-file.ts';
import { createLog } from '../../src/log.ts';
import { testWithMounts, withMount } from '../support/mounting.ts';

let folder: string;
let path: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'log-file-test-'));
  path = join(folder, 'logs', 'daemon.log');
});
afterEach(() => rm(folder, { recursive: true }));

const line = (number: number) => `${JSON.stringify({ time: '2026-01-01T00:00:00.000Z', number })}\n`;
const numbers = (lines: readonly LogLine[]) => lines.map(({ fields }) => fields?.['number']);

describe('The log file', () => {
  test('is for its owner only, also one that was there, and goes on where the last process ended', async () => {
    const first = createLogFile({ path, bytes: 1000, files: 2 });
    first.write(line(1));
    first.close();
    await chmod(path, 0o644);
    const second = createLogFile({ path, bytes: 1000, files: 2 });
    second.write(line(2));
    second.close();
    expect((await stat(path)).mode & 0o777).toBe(0o600);
    expect(await readFile(path, 'utf8')).toBe(line(1) + line(2));
  });

  test.each([1, 3])('is limited in size and number (%d), and the newest lines stay', async (files) => {
    const bytes = line(10).length * 4;
    const log = createLogFile({ path, bytes, files });
    for (let number = 10; number < 40; number += 1) log.write(line(number));
    log.close();
    const names = (await readdir(join(folder, 'logs'))).sort();
    expect(names).toEqual(['daemon.log', 'daemon.log.1', 'daemon.log.2'].slice(0, files));
    for (const name of names) {
      const { size, mode } = await stat(join(folder, 'logs', name));
      expect(size).toBeLessThanOrEqual(bytes);
      expect(mode & 0o777).toBe(0o600);
    }
    const kept = numbers(await lastLines(path, 100, () => true));
    expect(kept.at(-1)).toBe(39);
    expect(kept).toEqual(Array.from(kept, (_each, at) => 40 - kept.length + at));
    expect(numbers(await lastLines(path, 2, ({ fields }) => fields?.['number'] !== 39))).toEqual(kept.slice(-3, -1));
  });

  test('holds what standard output gets: no secret', async () => {
    const file = createLogFile({ path, bytes: 1000, files: 2 });
    createLog('info', { redact: (text) => text.replaceAll('hunter2', '***'), destination: file }).info(
      { url: 'x:hunter2@y' },
      'hunter2',
    );
    file.close();
    expect(await readFile(path, 'utf8')).toMatch(/"url":"x:\*\*\*@y","msg":"\*\*\*"/);
  });

  testWithMounts('survives a full disk, and says afterwards how many lines it lacks', async () => {
    const small = join(folder, 'small');
    await withMount(small, 'size=64k', async () => {
      const full = join(small, 'daemon.log');
      const log = createLogFile({ path: full, bytes: 1_000_000, files: 2 });
      log.write(line(1));
      const ballast = join(small, 'ballast');
      await writeFile(ballast, Buffer.alloc(100_000)).catch(() => undefined);
      // More than the rest of the page that the file has already.
      for (let number = 2; number < 202; number += 1) log.write(line(number));
      await rm(ballast);
      log.write(line(999));
      log.close();
      const lines = await lastLines(full, 1000, () => true);
      expect(lines.every(({ fields }) => fields !== undefined)).toBe(true);
      const { lost, why } = lines.find(({ fields }) => fields?.['lost'] !== undefined)!.fields!;
      expect({ why, all: lines.length - 1 + Number(lost) }).toEqual({ why: 'ENOSPC', all: 202 });
      expect(lines.at(-1)?.fields?.['number']).toBe(999);
    });
  });

  test('does not mind a folder that is not there', async () => {
    const log = createLogFile({ path: join(folder, 'absent', 'logs', 'daemon.log'), bytes: 1000, files: 2 });
    log.write(line(1));
    await mkdir(join(folder, 'absent'));
    log.write(line(2));
    log.close();
    expect(numbers(await lastLines(join(folder, 'absent', 'logs', 'daemon.log'), 9, () => true))).toEqual([undefined, 2]);
  });

  test('can be followed through its rotation, from the end on, without a line twice or lost', async () => {
    const log = createLogFile({ path, bytes: line(10).length * 3, files: 3 });
    log.write(line(10));
    const stop = new AbortController();
    const seen: unknown[] = [];
    const lines = followLines(path, stop.signal)[Symbol.asyncIterator]();
    const next = lines.next();
    // The first answer comes only when the end was found: before it, nothing that is written counts as new.
    await new Promise((resolve) => setTimeout(resolve, 400));
    for (let number = 11; number < 16; number += 1) log.write(line(number));
    seen.push(...numbers([(await next).value as LogLine]));
    while (seen.length < 5) seen.push(...numbers([(await lines.next()).value as LogLine]));
    stop.abort();
    await lines.return(undefined);
    log.close();
    expect(seen).toEqual([11, 12, 13, 14, 15]);
  });
});
