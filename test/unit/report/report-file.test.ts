import { describe, expect, test } from '@jest/globals';
import { lastBackupReport } from '../../../src/report/last-report.ts';
import { LOGS, writeReport } from '../../../src/report/report-file.ts';
import { createFaultyStorage } from '../../../src/storage/faulty.ts';
import { createMemoryStorage } from '../../../src/storage/memory.ts';
import type { Storage } from '../../../src/storage/storage.ts';

const STARTED = new Date('2026-01-02T03:04:05.678Z');

async function keysOf(storage: Storage): Promise<string[]> {
  const keys: string[] = [];
  for await (const { key } of storage.list('')) keys.push(key);
  return keys;
}

describe('A report', () => {
  test('of each source is found among those of others, also one from before there were several', async () => {
    const places = [{ storage: createMemoryStorage({ name: 'local' }), prefix: LOGS }];
    const write = (source: string, day: number, named: boolean) => {
      const started = new Date(Date.UTC(2026, 0, day, 2));
      const report = { source, startedAt: started.toISOString() };
      return writeReport('backup', { started, ...(named && { source }) }, report, places);
    };
    for (const day of [1, 2]) await write('shop', day, false);
    await write('crm', 3, false);
    await write('crm', 4, true);
    await write('crm', 5, true);
    expect((await lastBackupReport(places, 'shop'))?.report.startedAt).toBe('2026-01-02T02:00:00.000Z');
    expect((await lastBackupReport(places, 'crm'))?.location).toContain('backup_report_crm_20260105_020000.json');
    expect(await lastBackupReport(places, 'c')).toBeUndefined();
  });

  test('is named after the start of the run and is readable JSON', async () => {
    const storage = createMemoryStorage({ name: 'local' });
    const location = await writeReport('backup', { started: STARTED }, { outcome: 'success' }, [{ storage, prefix: LOGS }]);
    expect(await keysOf(storage)).toEqual(['logs/backup_report_20260102_030405.json']);
    expect(location).toBe(storage.location('logs/backup_report_20260102_030405.json'));
    const parts: Uint8Array[] = [];
    for await (const part of storage.get('logs/backup_report_20260102_030405.json')) parts.push(part);
    expect(Buffer.concat(parts).toString()).toBe('{\n  "outcome": "success"\n}\n');
  });

  test('never replaces another one of the same second', async () => {
    const storage = createMemoryStorage({ name: 'local' });
    for (let run = 0; run < 3; run += 1) await writeReport('backup', { started: STARTED }, { run }, [{ storage, prefix: '' }]);
    expect(await keysOf(storage)).toEqual([
      'backup_report_20260102_030405.json',
      'backup_report_20260102_030405_2.json',
      'backup_report_20260102_030405_3.json',
    ]);
  });

  test('goes to the next place when the first does not take it', async () => {
    const broken = createFaultyStorage(createMemoryStorage({ name: 'local' }), [{ operation: 'put', kind: 'fail' }]);
    const storage = createMemoryStorage({ name: 's3' });
    const places = [broken, storage].map((each) => ({ storage: each, prefix: LOGS }));
    await writeReport('backup', { started: STARTED }, {}, places);
    expect(await keysOf(broken)).toEqual([]);
    expect(await keysOf(storage)).toEqual(['logs/backup_report_20260102_030405.json']);
  });

  test('that no place takes is an error that says why', async () => {
    const broken = createFaultyStorage(createMemoryStorage({ name: 'local' }), [{ operation: 'put', kind: 'fail' }]);
    await expect(writeReport('backup', { started: STARTED }, {}, [{ storage: broken, prefix: LOGS }])).rejects.toMatchObject({
      code: 'STORAGE_NO_TARGET',
      message: expect.stringContaining('an injected failure'),
    });
  });
});

describe('The last report', () => {
  test('is the newest over all places', async () => {
    const [local, s3] = ['local', 's3'].map((name) => ({ storage: createMemoryStorage({ name }), prefix: LOGS }));
    await writeReport('backup', { started: STARTED }, { startedAt: '2026-01-02T03:04:05.678Z', outcome: 'failure' }, [local!]);
    await writeReport('backup', { started: STARTED }, { startedAt: '2026-01-02T03:04:05.900Z', outcome: 'success' }, [local!]);
    await writeReport('backup', { started: new Date('2025-01-01T00:00:00Z') }, { startedAt: '2025-01-01T00:00:00.000Z' }, [s3!]);
    expect(await lastBackupReport([local!, s3!], undefined)).toMatchObject({ report: { outcome: 'success' } });
  });

  test('does not exist before the first run', async () => {
    expect(
      await lastBackupReport([{ storage: createMemoryStorage({ name: 'local' }), prefix: LOGS }], undefined),
    ).toBeUndefined();
  });

  test('is an error, not "none", when no place can be asked', async () => {
    const broken = createFaultyStorage(createMemoryStorage({ name: 'local' }), [{ operation: 'list', kind: 'fail' }]);
    await expect(lastBackupReport([{ storage: broken, prefix: LOGS }], undefined)).rejects.toMatchObject({
      code: 'STORAGE_UNAVAILABLE',
    });
  });
});
