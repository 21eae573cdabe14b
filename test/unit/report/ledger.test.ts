import { appendFile, mkdir, mkdtemp, readFile, rm, stat, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { generateKey, readPublicKeys, readSigningKey, type PublicKey } from '../../../src/report/evidence-key.ts';
import { recordRemovedReports } from '../../../src/report/ledger.ts';
import type { LedgerEntry } from '../../../src/report/ledger-entry.ts';
import { compareHeads, headsToThin, thinHeads } from '../../../src/report/ledger-heads.ts';
import { encodeLine, sha256Of, splitLines } from '../../../src/report/ledger-line.ts';
import { verifyLedger, type LedgerVerdict } from '../../../src/report/verify-ledger.ts';
import { slotsBetween } from '../../../src/scheduler.ts';
import { bytesContent } from '../../../src/storage/content.ts';
import { createMemoryStorage } from '../../../src/storage/memory.ts';
import type { Storage } from '../../../src/storage/storage.ts';
import { DAILY, openSample, runOnce, sampleLedger, type SampleLedger } from '../../support/sample-ledger.ts';

let folder: string;
let target: Storage;
let sample: SampleLedger;
let file: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'ledger-test-'));
  file = join(folder, 'ledger.jsonl');
  target = createMemoryStorage({ name: 'bucket' });
  sample = await sampleLedger(folder, [target]);
});

afterEach(() => rm(folder, { recursive: true }));

interface Asked {
  readonly keys?: readonly PublicKey[];
  readonly now?: string;
  readonly from?: string;
  readonly to?: string;
  readonly targets?: readonly Storage[];
}

function verify({
  keys = [sample.publicKey],
  now = '2026-01-05T12:00:00Z',
  from,
  to,
  targets = [],
}: Asked = {}): Promise<LedgerVerdict> {
  return verifyLedger({
    ...{ folder, keys, now: new Date(now), slotsBetween, targets, signal: new AbortController().signal },
    ...(from !== undefined && { from: new Date(from) }),
    ...(to !== undefined && { to: new Date(to) }),
  });
}

async function lines(): Promise<string[]> {
  return (await readFile(file, 'utf8')).split('\n').slice(0, -1);
}

async function entries(): Promise<LedgerEntry[]> {
  return (await lines()).map((line) => JSON.parse(line) as LedgerEntry);
}

async function rewrite(change: (lines: string[]) => string[]): Promise<void> {
  await writeFile(file, `${change(await lines()).join('\n')}\n`);
}

const broken = (line: number, what: string | RegExp) => ({
  line,
  what: typeof what === 'string' ? expect.stringContaining(what) : expect.stringMatching(what),
});

describe('The ledger', () => {
  test('has one entry for each slot, one for the run by hand, and is intact', async () => {
    expect(
      (await entries()).map((entry) => [entry.number, entry.kind, 'state' in entry ? `${entry.state} ${entry.slot}` : '']),
    ).toEqual([
      [1, 'daemon started', ''],
      [2, 'schedule', ''],
      [3, 'job', 'done 2026-01-02T02:00:00.000Z'],
      [4, 'job', 'done 2026-01-03T02:00:00.000Z'],
      [5, 'job', 'done undefined'],
      [6, 'job', 'missed 2026-01-04T02:00:00.000Z'],
      [7, 'daemon started', ''],
      [8, 'job', 'done 2026-01-05T02:00:00.000Z'],
    ]);
    const verdict = await verify({ targets: [target] });
    expect(verdict).toMatchObject({
      ...{ breaks: [], notes: [], entries: 8, slots: 4 },
      signatures: { signed: 8, unsigned: 0, unchecked: 0 },
      reports: { checked: 4, removed: 0 },
      targets: [{ target: 'bucket', heads: 4 }],
    });
    expect((await stat(file)).mode & 0o777).toBe(0o644);
  });

  test('knows the slots of each source for itself, after entries that name none', async () => {
    const key = readSigningKey(sample.privatePem);
    const { evidence } = openSample(folder, sample.clock, key);
    const [shop, crm] = [
      { ...DAILY, source: 'shop' },
      { ...DAILY, source: 'crm' },
    ];
    await evidence.begin([shop, crm], '2.0.0');
    const due = new Date('2026-01-06T02:00:00Z');
    sample.clock.set('2026-01-06T02:05:00Z');
    await evidence.enter({ job: DAILY.job, source: 'shop', slot: due, state: 'done' });
    // The job of the other source is none the wiser.
    expect((await verify({ now: '2026-01-06T12:00:00Z' })).notes).toEqual([
      expect.stringContaining('2026-01-06T02:00:00.000Z of nightly-backup of crm has no entry yet'),
    ]);
    await evidence.enter({ job: DAILY.job, source: 'crm', slot: due, state: 'failed', why: 'wrong password' });
    expect(await verify({ now: '2026-01-06T12:00:00Z' })).toMatchObject({ breaks: [], notes: [], slots: 6 });
    // The next start enters what each of them missed.
    sample.clock.set('2026-01-07T12:00:00Z');
    await openSample(folder, sample.clock, key).evidence.begin([shop, crm], '2.0.0');
    const missed = (await entries()).filter((entry) => entry.kind === 'job' && entry.slot === '2026-01-07T02:00:00.000Z');
    expect(missed.map((entry) => 'source' in entry && entry.source)).toEqual(['shop', 'crm']);
    expect(await verify({ now: '2026-01-07T12:30:00Z' })).toMatchObject({ breaks: [], slots: 8 });
    await rewrite((all) => all.filter((line) => !/"source":"crm".*"slot":"2026-01-06/.test(line)));
    expect((await verify({ now: '2026-01-07T12:30:00Z' })).breaks).toContainEqual(
      expect.objectContaining({ what: expect.stringContaining('nightly-backup of crm have no entry') }),
    );
  });

  test('says that signatures were not checked without a public key, and that there are none without a key', async () => {
    const unchecked = await verify({ keys: [] });
    expect(unchecked).toMatchObject({ breaks: [], signatures: { unchecked: 8 } });
    expect(unchecked.notes).toEqual([expect.stringContaining('SIGNATURES NOT CHECKED')]);
    await rm(file);
    await openSample(folder, sample.clock).evidence.begin([DAILY], '1.0.0');
    const unsigned = await verify({ keys: [], now: '2026-01-05T13:00:00Z' });
    expect(unsigned).toMatchObject({ breaks: [], notes: [expect.stringContaining('NOT SIGNED')] });
    // Whoever has a public key expects signatures.
    expect((await verify({ now: '2026-01-05T13:00:00Z' })).breaks).toEqual([
      expect.objectContaining(broken(1, 'no entry is signed')),
    ]);
  });

  test('shows by the next line alone that one was edited, where nothing is signed; the last line is for the heads', async () => {
    await rm(file);
    const { evidence } = openSample(folder, sample.clock);
    await evidence.begin([DAILY], '1.0.0');
    await runOnce(evidence, folder, sample.clock, '2026-01-06T02:00:00Z', [target]);
    await runOnce(evidence, folder, sample.clock, '2026-01-07T02:00:00Z', [target]);
    const asked = { keys: [], now: '2026-01-07T12:00:00Z' };
    await rewrite((all) => all.with(2, all[2]!.replace('"exitStatus":0', '"exitStatus":1')));
    expect((await verify(asked)).breaks).toMatchObject([broken(4, 'as the SHA-256 of the line before')]);
    await rewrite((all) => all.with(2, all[2]!.replace('"exitStatus":1', '"exitStatus":0')));
    await rewrite((all) => all.with(3, all[3]!.replace('"exitStatus":0', '"exitStatus":1')));
    expect((await verify(asked)).breaks).toEqual([]);
    expect((await verify({ ...asked, targets: [target] })).breaks).toMatchObject([broken(4, 'bucket has another entry 4')]);
  });

  test('takes a key from the middle on, and nothing unsigned after it', async () => {
    await rm(file);
    await openSample(folder, sample.clock).evidence.begin([DAILY], '1.0.0');
    const key = readSigningKey(sample.privatePem);
    await openSample(folder, sample.clock, key).evidence.begin([DAILY], '1.0.0');
    const verdict = await verify({ now: '2026-01-05T13:00:00Z' });
    expect(verdict).toMatchObject({ breaks: [], notes: [expect.stringContaining('2 entries are from before the key')] });
    const before = await readFile(file);
    await expect(
      openSample(folder, sample.clock).ledger.append(() => [{ kind: 'daemon started', version: '1' }]),
    ).rejects.toMatchObject({
      code: 'CONFIG_INVALID',
      message: expect.stringContaining('no key to sign with'),
    });
    expect(await readFile(file)).toEqual(before);
  });

  test.each([
    [
      'an entry that was edited',
      4,
      (all: string[]) => all.with(3, all[3]!.replace('"exitStatus":0', '"exitStatus":1')),
      'its signature is not of what it says',
    ],
    ['an entry that was removed', 4, (all: string[]) => all.toSpliced(3, 1), 'its number is 5'],
    [
      'entries in another order',
      4,
      (all: string[]) => [...all.slice(0, 3), all[4]!, all[3]!, ...all.slice(5)],
      'its number is 5',
    ],
    ['a beginning that was removed', 1, (all: string[]) => all.slice(2), 'its number is 3'],
    ['an entry that was doubled', 5, (all: string[]) => all.toSpliced(4, 0, all[3]!), 'its number is 4'],
    [
      'a signature that was taken off',
      5,
      (all: string[]) => all.with(4, all[4]!.replace(/,"key".*\}$/, '}')),
      'it is not signed',
    ],
    ['a line that is no JSON', 6, (all: string[]) => all.with(5, 'x'), 'it is no entry'],
  ])('shows %s', async (_what, line, change, says) => {
    await rewrite(change);
    expect((await verify()).breaks[0]).toMatchObject(broken(line, says));
  });

  test('shows an entry that another key signed, in its right place', async () => {
    const forger = readSigningKey(generateKey().privatePem);
    const all = splitLines(await readFile(file));
    const { number: _number, previous, time, key: _key, ...draft } = all[7]!.entry as LedgerEntry & { signature: string };
    const { signature: _, ...clean } = draft;
    const forged = encodeLine(clean, { number: 8, previous, time: new Date(time) }, forger);
    await rewrite((text) => text.with(7, forged.toString('utf8').trimEnd()));
    expect((await verify()).breaks).toEqual([
      expect.objectContaining(broken(8, `signed with another key (${forger.fingerprint})`)),
    ]);
    // With both public keys, as after a change of the key, the chain is whole.
    expect((await verify({ keys: [sample.publicKey, forger.public] })).breaks).toEqual([]);
    expect((await verify({ keys: [sample.publicKey, forger.public], targets: [target] })).breaks).toEqual([
      expect.objectContaining(broken(8, 'bucket has another entry 8')),
    ]);
  });

  test('shows an end that was cut off: by the slots, and by the heads', async () => {
    await rewrite((all) => all.slice(0, 5));
    expect((await verify()).breaks).toEqual([expect.objectContaining(broken(5, /2 slot\(s\).*2026-01-04.*2026-01-05/))]);
    const known = await verify({ to: '2026-01-03T12:00:00Z', targets: [target] });
    expect(known.breaks).toEqual([]);
    expect((await verify({ now: '2026-01-03T12:00:00Z', targets: [target] })).breaks).toEqual([
      expect.objectContaining(broken(5, 'bucket has entry 8')),
    ]);
  });

  test('shows a history that was written anew with the right key, by the heads', async () => {
    await rm(file);
    const again = openSample(folder, sample.clock, readSigningKey(sample.privatePem));
    sample.clock.set('2026-01-01T12:00:00Z');
    await again.evidence.begin([DAILY], '1.0.0');
    for (const day of [2, 3, 4, 5]) await runOnce(again.evidence, folder, sample.clock, `2026-01-0${day}T02:00:00Z`);
    expect((await verify()).breaks).toEqual([]);
    expect((await verify({ targets: [target] })).breaks).toEqual([
      expect.objectContaining(broken(5, 'bucket has another entry 5')),
    ]);
  });

  test('shows a report that was edited or deleted, but not one that a clean-up noted before it removed it', async () => {
    const [first, second] = (await entries()).flatMap((entry) => (entry.kind === 'job' && entry.report ? entry.report.file : []));
    await appendFile(join(folder, first!), ' ');
    await rm(join(folder, second!));
    expect((await verify()).breaks).toMatchObject([broken(3, `${first!} has the SHA-256`), broken(4, `${second!} is missing`)]);
    await recordRemovedReports(sample.ledger, [second!], 'older than 1 year');
    expect(await verify()).toMatchObject({ breaks: [broken(3, 'has the SHA-256')], reports: { removed: 1 } });
  });

  test('looks only at the time that was asked for', async () => {
    await rewrite((all) => all.with(2, all[2]!.replace('"exitStatus":0', '"exitStatus":1')));
    const late = await verify({ from: '2026-01-04T00:00:00Z' });
    expect(late).toMatchObject({ breaks: [], range: { first: 6, last: 8 }, slots: 2 });
    expect(late.notes).toEqual([expect.stringContaining('5 of 8 lines are outside')]);
    expect((await verify({ to: '2026-01-02T12:00:00Z' })).breaks[0]).toMatchObject(broken(3, 'signature'));
  });

  test('shows slots that were left out, lets one run go on, and knows that the daemon is down', async () => {
    expect((await verify({ now: '2026-01-06T02:00:30Z' })).notes).toEqual([]);
    expect(await verify({ now: '2026-01-06T08:00:00Z' })).toMatchObject({
      breaks: [],
      notes: [expect.stringContaining('2026-01-06T02:00:00.000Z of nightly-backup has no entry yet')],
    });
    expect((await verify({ now: '2026-01-07T08:00:00Z' })).breaks).toMatchObject([broken(8, '2 slot(s)')]);
  });
});

describe('A ledger whose last line is cut off', () => {
  const again = () => openSample(folder, sample.clock, readSigningKey(sample.privatePem)).ledger;

  test('by somebody is not taken for a crash: the line is kept, its end recorded, and the verification fails for good', async () => {
    const { size } = await stat(file);
    await truncate(file, size - 100);
    expect((await verify()).breaks[0]).toMatchObject(broken(8, 'it is no entry'));
    const fragment = splitLines(await readFile(file))[7]!.bytes;
    await again().append(() => [{ kind: 'daemon started', version: '1' }]);
    const all = splitLines(await readFile(file));
    expect(all[8]!.entry).toMatchObject({ kind: 'anomaly', number: 9, bytes: fragment.length, sha256: sha256Of(fragment) });
    expect((await verify()).breaks).toMatchObject([broken(8, 'it is no entry'), broken(9, 'it records an anomaly')]);
  });

  test('by a crash is completed from what was pending, and that is recorded', async () => {
    const bytes = await readFile(file);
    const last = bytes.lastIndexOf(0x0a, bytes.length - 2) + 1;
    await truncate(file, bytes.length - 100);
    await writeFile(join(folder, 'ledger.pending'), Buffer.concat([Buffer.from(`${last}\n`), bytes.subarray(last)]));
    // Before anybody has written the rest.
    expect(await verify()).toMatchObject({ breaks: [], entries: 8, notes: [expect.stringContaining('was interrupted')] });
    await again().append(() => [{ kind: 'daemon started', version: '1' }]);
    expect((await readFile(file)).subarray(0, bytes.length)).toEqual(bytes);
    const verdict = await verify();
    expect(verdict).toMatchObject({
      breaks: [],
      entries: 10,
      notes: [expect.stringContaining('ended in the middle of an append')],
    });
    await expect(stat(join(folder, 'ledger.pending'))).rejects.toThrow('ENOENT');
  });

  test('by somebody who forges what was pending is told from a crash', async () => {
    const bytes = await readFile(file);
    const last = bytes.lastIndexOf(0x0a, bytes.length - 2) + 1;
    const forged = Buffer.from(bytes.subarray(last).toString('utf8').replace('"exitStatus":0', '"exitStatus":1'));
    await truncate(file, last + 10);
    await writeFile(join(folder, 'ledger.pending'), Buffer.concat([Buffer.from(`${last}\n`), forged]));
    expect((await verify()).breaks[0]).toMatchObject(broken(8, 'its signature is not of what it says'));
    await writeFile(join(folder, 'ledger.pending'), `${bytes.length + 5}\nx\n`);
    await writeFile(file, bytes);
    await again().append(() => [{ kind: 'daemon started', version: '1' }]);
    expect((await verify()).breaks).toMatchObject([broken(9, 'it records an anomaly')]);
  });
});

describe('A clock that is set back', () => {
  test('is recorded; a slot that comes twice keeps one entry, and its second run is entered as such', async () => {
    sample.clock.set('2026-01-05T01:30:00Z');
    await runOnce(sample.evidence, folder, sample.clock, '2026-01-05T02:00:00Z');
    const added = (await entries()).slice(8);
    expect(added).toMatchObject([{ kind: 'job', sameSlotAs: 8, due: '2026-01-05T02:00:00.000Z' }]);
    expect(added[0]).not.toHaveProperty('slot');
    sample.clock.set('2026-01-04T20:00:00Z');
    await sample.ledger.append(() => [{ kind: 'daemon started', version: '1' }]);
    expect((await entries()).slice(9)).toMatchObject([{ kind: 'clock set back', from: '2026-01-05T02:05:00.000Z' }, {}]);
    const verdict = await verify();
    expect(verdict.breaks).toEqual([]);
    expect(verdict.notes).toEqual([expect.stringContaining('ran once more'), expect.stringContaining('the clock was set back')]);
  });

  test('is a break when no entry says so', async () => {
    const key = readSigningKey(sample.privatePem);
    const last = splitLines(await readFile(file)).at(-1)!;
    const place = { number: 9, previous: last.sha256, time: new Date('2026-01-01T00:00:00Z') };
    await appendFile(file, encodeLine({ kind: 'daemon started', version: '1' }, place, key));
    expect((await verify()).breaks).toMatchObject([broken(9, 'is before 2026-01-05')]);
  });
});

describe('Slots that nobody ran', () => {
  test('are entered by the job that comes next, and by the daemon that starts next, also by the old schedule', async () => {
    // Nothing told of the slots of the 6th and 7th, as in the moment in which the daemon starts.
    await runOnce(sample.evidence, folder, sample.clock, '2026-01-08T02:00:00Z');
    sample.clock.set('2026-01-10T12:00:00Z');
    const hourly = { ...DAILY, expression: '0 * * * *' };
    await openSample(folder, sample.clock, readSigningKey(sample.privatePem)).evidence.begin([hourly], '2');
    const added = (await entries())
      .slice(8)
      .map((entry) => ('state' in entry ? `${entry.state} ${entry.slot?.slice(0, 10)}` : entry.kind));
    expect(added).toEqual([
      ...['missed 2026-01-06', 'missed 2026-01-07', 'done 2026-01-08', 'missed 2026-01-09', 'missed 2026-01-10'],
      ...['daemon started', 'schedule'],
    ]);
    expect((await verify({ now: '2026-01-10T12:30:00Z' })).breaks).toEqual([]);
  });

  test('are those of the schedule that held, which may change while the daemon runs', async () => {
    const { evidence, clock } = sample;
    const physical = { ...DAILY, job: 'base-backup', expression: '0 1 * * *' };
    const ends = async (job: string, slot: string) => {
      clock.set(slot.replace(':00:00Z', ':05:00Z'));
      await evidence.enter({ job, slot: new Date(slot), state: 'done' });
    };
    await ends(DAILY.job, '2026-01-06T02:00:00Z');
    clock.set('2026-01-06T12:00:00Z');
    expect(await evidence.reschedule([DAILY, physical])).toEqual(new Date('2026-01-06T12:00:00Z'));
    const before = (await entries()).length;
    await evidence.reschedule([DAILY, physical]);
    expect(await entries()).toHaveLength(before);
    await ends(DAILY.job, '2026-01-07T02:00:00Z');
    expect((await verify({ now: '2026-01-07T12:00:00Z' })).notes).toEqual([
      expect.stringContaining('2026-01-07T01:00:00.000Z of base-backup has no entry yet'),
    ]);
    // The next of the job enters the one that was passed over.
    await ends('base-backup', '2026-01-08T01:00:00Z');
    await ends(DAILY.job, '2026-01-08T02:00:00Z');
    clock.set('2026-01-08T12:00:00Z');
    await evidence.reschedule([DAILY]);
    await ends(DAILY.job, '2026-01-09T02:00:00Z');
    expect(await verify({ now: '2026-01-09T12:00:00Z' })).toMatchObject({ breaks: [], notes: [], slots: 10 });
  });

  test('are of the newer schedule where the ledger could not be written before', async () => {
    const other = join(folder, 'other');
    const { evidence } = openSample(other, sample.clock);
    await writeFile(other, 'in the way');
    await expect(evidence.begin([DAILY], '1.0.0')).rejects.toThrow();
    const weekly = { ...DAILY, job: 'weekly-cleanup' };
    await expect(evidence.reschedule([DAILY, weekly])).rejects.toThrow();
    await rm(other);
    await mkdir(other);
    await evidence.enter({ job: DAILY.job, slot: undefined, state: 'done' });
    const lines = (await readFile(join(other, 'ledger.jsonl'), 'utf8')).trimEnd().split('\n');
    expect(lines.filter((line) => line.includes('"kind":"schedule"'))).toEqual([expect.stringContaining('weekly-cleanup')]);
  });

  test('share an entry when they are many', async () => {
    const key = readSigningKey(sample.privatePem);
    const each = { ...DAILY, expression: '* * * * *' };
    await openSample(folder, sample.clock, key).evidence.begin([each], '1');
    sample.clock.set('2026-01-07T12:00:00Z');
    await openSample(folder, sample.clock, key).evidence.begin([each], '1');
    expect((await entries()).at(-2)).toMatchObject({ state: 'missed', slots: 3475, through: '2026-01-07T12:00:00.000Z' });
    expect((await verify({ now: '2026-01-07T12:00:30Z' })).breaks).toEqual([]);
  });
});

describe('Heads on a target', () => {
  test('that cannot be asked are told, and one that was changed is a break', async () => {
    const failing = {
      ...target,
      name: 'down',
      list: () => {
        throw new Error('gone');
      },
    } as unknown as Storage;
    expect((await verify({ targets: [failing] })).notes).toEqual([expect.stringContaining('NOT COMPARED with down: gone')]);
    await target.put('ledger/0000000004.json', bytesContent(Buffer.from('{}\n')));
    expect((await verify({ targets: [target] })).breaks).toMatchObject([broken(4, 'another entry 4')]);
  });
});

describe('Keys', () => {
  test('are Ed25519 in PEM, in one line too, and are not quoted when they are not', () => {
    const { privatePem, publicKey } = generateKey();
    expect(readSigningKey(privatePem.replaceAll('\n', '\\n')).fingerprint).toBe(publicKey.fingerprint);
    expect(readPublicKeys(`${publicKey.pem}\n${generateKey().publicKey.pem}`, 'file')).toHaveLength(2);
    expect(() => readSigningKey('hunter2')).toThrow(
      expect.objectContaining({ code: 'CONFIG_INVALID', message: expect.not.stringContaining('hunter2') }),
    );
    expect(() => readPublicKeys(privatePem, 'file')).toThrow(expect.objectContaining({ code: 'USAGE' }));
  });
});

describe('heads on a target', () => {
  const key = (number: number): string => `ledger/${String(number).padStart(10, '0')}.json`;

  test('all stay while they are a thousand, whatever else is there', () => {
    const keys = Array.from({ length: 1000 }, (_, at) => key(3 * at + 1));
    expect(headsToThin([...keys, 'ledger/notes.txt'])).toEqual([]);
  });

  test('are thinned to one for some hundred entries before the newest thousand', () => {
    const keys = Array.from({ length: 2500 }, (_, at) => key(at + 1));
    const gone = new Set(headsToThin([...keys].reverse()));
    const left = keys.filter((each) => !gone.has(each));
    expect(left.slice(0, 3)).toEqual([499, 999, 1499].map(key));
    expect(left.slice(3)).toEqual(keys.slice(1500));
    expect(headsToThin(left)).toEqual([]);
  });

  test('are removed from a target, and what is left still contradicts a history that was written anew', async () => {
    const store = createMemoryStorage({ name: 'bucket' });
    const { signal } = new AbortController();
    for (let number = 1; number <= 1002; number += 1)
      await store.put(key(number), bytesContent(Buffer.from(`line ${number}\n`)), signal);
    expect(await thinHeads(store, signal)).toBe(2);
    const lines = Array.from({ length: 1002 }, (_, at) => splitLines(Buffer.from(`line ${at + 1}\n`))[0]!);
    const range = { from: 1, to: 2000 };
    expect(await compareHeads(store, lines, range, signal)).toEqual({ target: 'bucket', heads: 1000 });
    const anew = lines.map((line, at) => (at < 2 ? line : { ...line, sha256: '0'.repeat(64) }));
    expect(await compareHeads(store, anew, range, signal)).toMatchObject({ contradiction: { number: 3, lacking: false } });
  });
});
