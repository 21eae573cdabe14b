import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import type { JobContext, JobOutcome } from '../../../src/jobs/job.ts';
import { withEvidence } from '../../../src/jobs/with-evidence.ts';
import { createLog } from '../../../src/log.ts';
import type { LedgerEntry } from '../../../src/report/ledger-entry.ts';
import { sha256Of } from '../../../src/report/ledger-line.ts';
import { createMemoryStorage } from '../../../src/storage/memory.ts';
import { clockAt, openSample } from '../../support/sample-ledger.ts';

let folder: string;
let lines: Record<string, unknown>[];
const clock = clockAt('2026-01-02T02:00:01Z');

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'with-evidence-'));
  lines = [];
});

afterEach(() => rm(folder, { recursive: true }));

function context(slot?: string): JobContext {
  const log = createLog('info', { destination: { write: (line) => lines.push(JSON.parse(line)) } });
  return { signal: new AbortController().signal, log, clock, ...(slot !== undefined && { slot: new Date(slot) }) };
}

const jobThat = (run: () => Promise<JobOutcome>) => ({ name: 'nightly-backup', run });

async function lastEntry(): Promise<LedgerEntry> {
  const text = await readFile(join(folder, 'ledger.jsonl'), 'utf8');
  return JSON.parse(text.trimEnd().split('\n').at(-1)!) as LedgerEntry;
}

describe('A job with evidence', () => {
  test('has an entry with its slot, the hash of its report and why, and its head on the target', async () => {
    const target = createMemoryStorage({ name: 'bucket' });
    const report = join(folder, 'report.json');
    await writeFile(report, '{}\n');
    const outcome = { outcome: 'inconclusive', exitStatus: 2, report, reason: 'no server programs' } as const;
    const job = withEvidence(
      jobThat(() => Promise.resolve(outcome)),
      openSample(folder, clock).evidence,
      [target],
    );
    expect(await job.run(context('2026-01-02T02:00:00Z'))).toEqual({ ...outcome, evidence: { entry: 1, warnings: [] } });
    expect(await lastEntry()).toMatchObject({
      ...{
        kind: 'job',
        job: 'nightly-backup',
        slot: '2026-01-02T02:00:00.000Z',
        state: 'failed',
        result: 'inconclusive',
        exitStatus: 2,
      },
      ...{ why: 'no server programs', report: { file: 'report.json', sha256: sha256Of(Buffer.from('{}\n')) } },
    });
    const parts: Buffer[] = [];
    for await (const part of target.get('ledger/0000000001.json')) parts.push(Buffer.from(part));
    expect(Buffer.concat(parts)).toEqual(await readFile(join(folder, 'ledger.jsonl')));
  });

  test('that cannot be entered is a failure, and keeps its exit status when it was one', async () => {
    await rm(folder, { recursive: true });
    await writeFile(folder, 'a file where the folder should be');
    const { evidence } = openSample(folder, clock);
    const good = withEvidence(
      jobThat(() => Promise.resolve({ outcome: 'success', exitStatus: 0 })),
      evidence,
      [],
    );
    expect(await good.run(context())).toMatchObject({
      outcome: 'failure',
      exitStatus: 20,
      evidence: { error: { code: 'STORAGE_FAILED' } },
    });
    const bad = withEvidence(
      jobThat(() => Promise.resolve({ outcome: 'aborted', exitStatus: 130 })),
      evidence,
      [],
    );
    expect(await bad.run(context())).toMatchObject({ outcome: 'aborted', exitStatus: 130 });
    expect(lines.filter(({ msg }) => String(msg).startsWith('the run is not in the ledger'))).toHaveLength(2);
  });

  test('has its entry although its report is gone, and that is a failure', async () => {
    const report = join(folder, 'gone.json');
    const job = withEvidence(
      jobThat(() => Promise.resolve({ outcome: 'success', exitStatus: 0, report })),
      openSample(folder, clock).evidence,
      [],
    );
    expect(await job.run(context())).toMatchObject({ outcome: 'failure', evidence: { error: { code: 'STORAGE_MISSING' } } });
    expect(await lastEntry()).toMatchObject({ state: 'done', why: expect.stringContaining('its report cannot be read') });
  });

  test('that throws is entered as failed, and throws on', async () => {
    const job = withEvidence(
      jobThat(() => Promise.reject(new Error('a bug'))),
      openSample(folder, clock).evidence,
      [],
    );
    await expect(job.run(context('2026-01-02T02:00:00Z'))).rejects.toThrow('a bug');
    expect(await lastEntry()).toMatchObject({ state: 'failed', why: 'a bug', slot: '2026-01-02T02:00:00.000Z' });
  });

  test('tells of a target that does not take the head, without failing for it', async () => {
    const target = { ...createMemoryStorage({ name: 'bucket' }), put: () => Promise.reject(new Error('denied')) };
    const job = withEvidence(
      jobThat(() => Promise.resolve({ outcome: 'success', exitStatus: 0 })),
      openSample(folder, clock).evidence,
      [target],
    );
    expect(await job.run(context())).toMatchObject({
      outcome: 'success',
      evidence: { entry: 1, warnings: [expect.stringContaining('not stored on bucket: denied')] },
    });
  });
});
