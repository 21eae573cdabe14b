import { expect, test } from '@jest/globals';
import { BackupError } from '../../../src/errors.ts';
import { ScrubState } from '../../../src/jobs/scrub-state.ts';
import { createMemoryStorage } from '../../../src/storage/memory.ts';
import { putBytes } from '../../support/make-backup.ts';

const at = (day: number) => new Date(Date.UTC(2026, 0, day));

test('What a re-read has found is kept: the newest of all places counts, and a copy is known by its checksum', async () => {
  const [first, second] = [createMemoryStorage({ name: 'a' }), createMemoryStorage({ name: 'b' })];
  const places = [first, second].map((storage) => ({ storage, prefix: 'logs/' }));
  const state = await ScrubState.load(places, undefined);
  state.note('local', 'full/x', { sha256: '1', verdict: 'passed', checkedAt: at(1).toISOString() });
  await state.save(places, undefined, at(1));
  state.note('local', 'full/x', { sha256: '1', verdict: 'damaged', checkedAt: at(2).toISOString() });
  await state.save([places[1]!], undefined, at(2));
  const loaded = await ScrubState.load(places, undefined);
  expect(loaded.of('local', 'full/x', '1')?.verdict).toBe('damaged');
  expect(loaded.of('local', 'full/x', '2')).toBeUndefined();
  expect(loaded.of('s3', 'full/x', '1')).toBeUndefined();
  loaded.keepOnly(() => false);
  expect(loaded.of('local', 'full/x', '1')).toBeUndefined();
});

test('What a re-read has found is not forgotten because a place does not answer; a file that is broken is', async () => {
  const storage = createMemoryStorage({ name: 'a' });
  await putBytes(storage, 'scrub_state.json', Buffer.from('{"version":'));
  expect((await ScrubState.load([{ storage, prefix: '' }], undefined)).of('local', 'full/x', '1')).toBeUndefined();
  const silent = {
    ...storage,
    get: () => {
      throw new BackupError('STORAGE_UNAVAILABLE', 'no answer');
    },
  };
  await expect(ScrubState.load([{ storage: silent, prefix: '' }], undefined)).rejects.toMatchObject({
    code: 'STORAGE_UNAVAILABLE',
  });
});
