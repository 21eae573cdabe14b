import { execFile } from 'node:child_process';
import { copyFile, cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { recordRemovedReports } from '../../src/report/ledger.ts';
import { generateKey, readSigningKey } from '../../src/report/evidence-key.ts';
import { createDiskStorage } from '../../src/storage/disk.ts';
import { backupManager } from '../support/command.ts';
import { blocksOf, runShell } from '../support/documents.ts';
import { clockAt, openSample, sampleLedger } from '../support/sample-ledger.ts';

const run = promisify(execFile);

let root: string;
let whole: string;
let folder: string;
let blocks: string[];
let runs = 0;

beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'evidence-document-'));
  whole = join(root, 'whole');
  const sample = await sampleLedger(whole, [createDiskStorage({ name: 'local', root })]);
  await writeFile(join(whole, 'evidence.pub'), sample.publicKey.pem);
  const named = (await readFile(join(whole, 'ledger.jsonl'), 'utf8')).match(/backup_report_\w+\.json/)![0];
  await recordRemovedReports(sample.ledger, [named], 'older than a year');
  await rm(join(whole, named));
  blocks = await blocksOf('docs/evidence.md', 'sh', '<!-- a test runs');
});

afterAll(() => rm(root, { recursive: true }));

beforeEach(async () => {
  folder = join(root, `copy-${(runs += 1)}`);
  await cp(whole, folder, { recursive: true });
});

const shell = (block: number) => runShell(blocks[block]!, { cwd: folder });

const ledgerLines = async () => (await readFile(join(folder, 'ledger.jsonl'), 'utf8')).split('\n').slice(0, -1);

describe('The commands of docs/evidence.md', () => {
  test('find a whole ledger whole', async () => {
    expect(blocks).toHaveLength(4);
    expect(await shell(0)).toEqual({ status: 0, says: expect.stringMatching(/^chain: 9 lines, head [0-9a-f]{64}\n$/) });
    expect(await shell(1)).toEqual({ status: 0, says: 'signatures: 9 good\n' });
    expect(await shell(2)).toEqual({ status: 0, says: expect.stringMatching(/^reports: 4 named, all unchanged/) });
    const { says } = await shell(3);
    expect(says.split('\n').slice(1, -1)).toEqual(
      ['02 done', '03 done', '04 missed', '05 done'].map((text) => {
        const [day, state] = text.split(' ');
        return `nightly-backup 2026-01-${day}T02:00:00.000Z ${state}`;
      }),
    );
  });

  test('name the line that was edited, the key that is another, the report that was changed', async () => {
    const lines = await ledgerLines();
    const edited = lines.with(3, lines[3]!.replace('"exitStatus":0', '"exitStatus":1'));
    await writeFile(join(folder, 'ledger.jsonl'), `${edited.join('\n')}\n`);
    expect(await shell(0)).toEqual({ status: 1, says: 'the chain breaks at line 5\n' });
    expect(await shell(1)).toEqual({ status: 1, says: 'the signature of line 4 is wrong\n' });
    await writeFile(join(folder, 'ledger.jsonl'), `${lines.join('\n')}\n`);
    await writeFile(join(folder, 'evidence.pub'), generateKey().publicKey.pem);
    expect(await shell(1)).toMatchObject({ status: 1 });
    const report = lines[3]!.match(/backup_report_\w+\.json/)![0];
    await copyFile(join(folder, 'ledger.jsonl'), join(folder, report));
    expect(await shell(2)).toMatchObject({ status: 1, says: expect.stringContaining(`${report}: FAILED`) });
    await rm(join(folder, report));
    expect(await shell(2)).toMatchObject({ status: 1 });
  });
});

test('A lost key is replaced: the ledger goes on with the new one, and both public keys verify it', async () => {
  const second = generateKey();
  const clock = clockAt('2026-01-05T06:00:00Z');
  const { ledger } = openSample(folder, clock, readSigningKey(second.privatePem));
  await ledger.append(() => [{ kind: 'daemon started', version: '1.0.1' }]);
  expect(await shell(1)).toEqual({ status: 1, says: 'the signature of line 10 is wrong\n' });
  const file = join(folder, `evidence-${second.publicKey.fingerprint}.pub`);
  await writeFile(file, second.publicKey.pem);
  expect(await shell(1)).toEqual({ status: 0, says: 'signatures: 10 good\n' });
  const both = ['--public-key', join(folder, 'evidence.pub'), '--public-key', file, '--to', '2026-01-05'];
  const { status, stdout } = await backupManager(['evidence', 'verify', '--folder', folder, ...both], { BACKUP_DIR: root });
  expect({ status, stdout }).toEqual({ status: 0, stdout: expect.stringContaining('10 with a good signature') });
});

describe('backup-manager evidence', () => {
  const settings = () => ({ BACKUP_DIR: root });
  const verify = (...more: string[]) =>
    backupManager(
      ['evidence', 'verify', '--folder', folder, '--public-key', join(folder, 'evidence.pub'), '--to', '2026-01-05', ...more],
      settings(),
    );

  test('verifies offline and against the targets, and names the first break', async () => {
    expect(await verify('--against-targets')).toMatchObject({ status: 0, stdout: expect.stringContaining('is intact') });
    const lines = await ledgerLines();
    await writeFile(join(folder, 'ledger.jsonl'), `${lines.toSpliced(3, 1).join('\n')}\n`);
    const { status, stdout, stderr } = await verify('--json');
    expect(status).toBe(90);
    expect(JSON.parse(stdout)).toMatchObject({
      intact: false,
      breaks: [{ line: 4 }, {}, {}],
      error: { code: 'EVIDENCE_BROKEN' },
    });
    expect(stderr).toContain('broken at line 4: its number is 5');
  });

  test('makes a key for this account only, and never over another file', async () => {
    const file = join(folder, 'key.pem');
    const made = await backupManager(['evidence', 'keygen', file], settings());
    expect(made).toMatchObject({ status: 0, stdout: expect.stringMatching(/^-----BEGIN PUBLIC KEY-----/) });
    const { stdout } = await run('stat', ['-c', '%a', file]);
    expect(stdout).toBe('600\n');
    const { stdout: derived } = await run('openssl', ['pkey', '-in', file, '-pubout']);
    expect(made.stdout).toBe(derived);
    const before = await readFile(file);
    expect(await backupManager(['evidence', 'keygen', file], settings())).toMatchObject({ status: 2 });
    expect(await readFile(file)).toEqual(before);
  });
});
