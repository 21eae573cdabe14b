import { existsSync } from 'node:fs';
import { open, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { blocksOf } from '../support/documents.ts';
import { PitrGround, type Answer } from '../support/pitr-ground.ts';
import { installedVersions } from '../support/postgres-versions.ts';
import { startS3Server } from '../support/s3-server.ts';
import { startServerOn } from '../support/server-on.ts';

/** Later ones, and from a bucket, by hand and where it is asked for: PITR_FAULTS=all. */
const ALL = process.env['PITR_FAULTS'] === 'all';
const s3 = ALL ? await startS3Server() : undefined;

afterAll(async () => await s3?.stop());

/** The first version that makes incremental backups. */
const MAJORS = installedVersions().flatMap(({ major }) => (major === 17 || (ALL && major > 17) ? [major] : []));

describe.each(MAJORS)('physical backups of PostgreSQL %i', (major) => {
  let ground: PitrGround;
  let full: Answer;
  let second: Answer;

  beforeAll(async () => {
    ground = await PitrGround.open(major, s3, { summarize_wal: 'on' });
    const space = await ground.server.server.makeFolder('space');
    await ground.sql(`CREATE TABLESPACE elsewhere LOCATION '${space}'`);
    await ground.sql('CREATE TABLE marks (n int PRIMARY KEY) TABLESPACE elsewhere');
    await ground.startDaemon();
  });

  afterAll(async () => {
    await ground.close();
  });

  test('incremental backups have only what has changed, and build on each other until their number is reached', async () => {
    full = await ground.physical(0);
    expect(full).toMatchObject({ outcome: 'success', fullBecause: 'PITR_INCREMENTALS is 0' });
    await ground.mark();
    const first = await ground.physical(2);
    expect(first).toMatchObject({ outcome: 'success', parent: full.label });
    await ground.mark();
    second = await ground.physical(2);
    expect(second).toMatchObject({ outcome: 'success', parent: first.label });
    expect(second.bytes).toBeLessThan(full.bytes! / 4);
    const { windows } = await ground.json('list-backups', '--recoverable');
    expect(windows?.slice(0, 3).map(({ base, parent }) => [base, parent])).toEqual([
      [second.label, first.label],
      [first.label, full.label],
      [full.label, undefined],
    ]);
    const { chain } = await ground.json('recover', '--plan');
    expect(chain).toEqual([full.label, first.label, second.label]);
    expect(await ground.json('recover', '--plan', '--base', full.label!)).toMatchObject({ chain: [full.label] });
    const unknown = await ground.run('recover', '--plan', '--base', 'base_other');
    expect(unknown).toMatchObject({ status: 40, stderr: expect.stringContaining('there is no physical backup base_other') });
  });

  test('incremental backups are recovered with all that they build on, tablespaces too', async () => {
    const [{ n: marks }] = (await ground.sql('SELECT count(*)::int AS n FROM marks')) as [{ n: number }];
    const from = s3 ? ['--target', 's3'] : [];
    await ground.recoverableTo(await ground.now(), ...from);
    expect(await ground.recovered('chain', ...from)).toMatchObject({ marks, says: { chain: { length: 3 } } });
    expect((await readdir(ground.folder)).filter((name) => name.startsWith('chain'))).toEqual([]);
  });

  test('incremental backups recover without us, by the commands of docs/pitr.md', async () => {
    const instant = await ground.mark();
    const [{ n: marks }] = (await ground.sql('SELECT count(*)::int AS n FROM marks')) as [{ n: number }];
    const seconds = instant.replace('T', ' ').replace('Z', '+00');
    await ground.mark();
    const { chain } = await ground.json('recover', '--plan');
    const [{ wal }] = (await ground.sql('SELECT pg_walfile_name(pg_switch_wal()) AS wal')) as [{ wal: string }];
    const folder = join(ground.folder, 'backups');
    while (!existsSync(join(folder, 'wal/postgres', wal.slice(0, 8), `${wal}.zst`))) await sleep(50);
    const into = join(ground.folder, 'chain-without-us');
    const parts = join(ground.folder, 'parts');
    const blocks = await blocksOf('docs/pitr.md', 'sh', '## Without this program');
    const full = blocks.find((each) => each.includes('zstd -dcq'))!;
    const combine = blocks.find((each) => each.includes('pg_combinebackup'))!;
    const done = await ground.shell(combine + full.slice(full.indexOf('pg_verifybackup')), {
      ...Object.fromEntries([25, 28, 31].map((day, at) => [`base_shop_202601${day}_010000`, chain![at]!])),
      ...{ '/backups/wal/shop/': '/backups/wal/postgres/', '2026-01-31 14:05:00+00': seconds },
      ...{ '/backups/': `${folder}/`, '/var/lib/postgresql/recovered': into, '/var/lib/postgresql/parts': parts },
    });
    expect(done).toMatchObject({ status: 0, says: expect.stringContaining('backup successfully verified') });
    await ground.giveToServer(into, `${into}.tablespaces`, folder);
    expect(await ground.marksIn(into)).toBe(marks);
  });

  test('a data directory is brought back from the full one of a chain, which is said', async () => {
    const [{ n: marks }] = (await ground.sql('SELECT count(*)::int AS n FROM marks')) as [{ n: number }];
    const into = join(ground.folder, 'of-a-chain');
    expect(await ground.json('recover', '--into', into)).toMatchObject({ chain: { length: 3 } });
    const named = await ground.run('recover', '--delta', '--into', into, '--base', second.label!);
    expect(named).toMatchObject({ status: 40, stderr: expect.stringContaining(`${second.label} is incremental`) });
    const { chain, passedOver, kept } = await ground.json('recover', '--delta', '--into', into);
    expect({ chain, passedOver }).toEqual({ chain: [full.label], passedOver: second.label });
    expect(kept!.files).toBeGreaterThan(100);
    expect(await ground.marksIn(into)).toBe(marks);
    const { stdout } = await ground.run('recover', '--delta', '--plan');
    expect(stdout).toMatch(new RegExp(`instead of +${second.label}: it is incremental`));
  });

  test('incremental backups are not good when what they build on is damaged or missing, and say so', async () => {
    const folder = join(ground.folder, 'backups/base');
    for (const file of [`${full.label}/base.tar.zst`, `${full.label}.meta`]) {
      await rename(join(folder, file), join(folder, 'away'));
      const { windows, unusable } = await ground.json('list-backups', '--recoverable', '--target', 'local');
      expect(windows).toEqual([]);
      expect(unusable).toContainEqual({ base: second.label, why: expect.stringContaining(`builds on ${full.label}`) });
      const refused = await ground.run('recover', '--plan', '--target', 'local');
      expect(refused).toMatchObject({ status: 40, stderr: expect.stringContaining(`builds on ${full.label}`) });
      await rename(join(folder, 'away'), join(folder, file));
    }
  });

  test('a full one is taken after so many, and where the server does not know what has changed: then it is said', async () => {
    expect(await ground.physical(2)).toMatchObject({ fullBecause: '2 incremental ones have followed the last' });
    await ground.sql('ALTER SYSTEM SET summarize_wal = off');
    await ground.sql('SELECT pg_reload_conf()');
    const off = await ground.physical(2);
    expect(off).toMatchObject({ outcome: 'success', fullBecause: 'summarize_wal is off on the server' });
    // The server summarizes anew what it still has: so it must not have it any more.
    const summaries = join(ground.server.server.dataDirectory, 'pg_wal/summaries');
    for (const name of await readdir(summaries)) await rm(join(summaries, name));
    const oldest = `SELECT min(name) > pg_walfile_name('${off.startLsn!}') AS gone FROM pg_ls_waldir() WHERE name ~ '^[0-9A-F]{24}$'`;
    do {
      await ground.mark();
      await ground.sql('SELECT pg_switch_wal()');
      await ground.sql('CHECKPOINT');
    } while ((await ground.sql(oldest))[0]!['gone'] !== true);
    await ground.sql('ALTER SYSTEM RESET summarize_wal');
    await ground.sql('SELECT pg_reload_conf()');
    const gone = await ground.physical(2);
    expect(gone).toMatchObject({ outcome: 'success', fullBecause: expect.stringMatching(/cannot build on .*: WAL summar/) });
  });

  test('a page that is damaged on the disk fails a physical backup, which names its file and keeps nothing', async () => {
    await ground.sql('CREATE TABLE rotten AS SELECT generate_series(1, 1000) AS n');
    await ground.sql('CHECKPOINT');
    const [{ path }] = (await ground.sql(`SELECT pg_relation_filepath('rotten') AS path`)) as [{ path: string }];
    const file = await open(join(ground.server.server.dataDirectory, path), 'r+');
    await file.write('damaged', 8192 + 500);
    await file.close();
    const before = await ground.json('list-backups', '--recoverable');
    expect(await ground.physical(0)).toMatchObject({
      outcome: 'failure',
      error: {
        code: 'SOURCE_FAILED',
        message: expect.stringMatching(new RegExp(`damaged pages on its disk: .*${path}.*block 1`)),
        hint: expect.stringContaining('pg_filenode_relation'),
      },
    });
    const { windows, unusable } = await ground.json('list-backups', '--recoverable');
    expect([windows!.map(({ base }) => base), unusable]).toEqual([before.windows!.map(({ base }) => base), before.unusable]);
    await ground.sql('DROP TABLE rotten');
    expect(await ground.physical(0)).toMatchObject({ outcome: 'success' });
  });

  test('a data directory is brought back in place: what is as in the backup stays as it is, all else goes', async () => {
    const into = join(ground.folder, 'in-place');
    await ground.recoverableTo(await ground.mark());
    expect(await ground.run('recover', '--into', into)).toMatchObject({ status: 0 });
    const folder = join(into, 'base/1');
    const files: string[] = [];
    for (const name of await readdir(folder)) if ((await stat(join(folder, name))).size > 8192) files.push(join(folder, name));
    const [changed, gone, untouched] = files as [string, string, string];
    const damaged = await readFile(changed);
    damaged[100] = damaged[100]! ^ 1;
    await writeFile(changed, damaged);
    await rm(gone);
    await writeFile(join(folder, '999999'), 'nobody knows it');
    const before = await stat(untouched);

    const lock = join(into, 'postmaster.pid');
    await writeFile(lock, '1');
    const running = await ground.run('recover', '--delta', '--into', into);
    expect(running).toMatchObject({ status: 40, stderr: expect.stringContaining('a server may be running on it') });
    expect(await readFile(changed)).toEqual(damaged);
    await rm(lock);
    const control = join(into, 'global/pg_control');
    const own = await readFile(control);
    await writeFile(control, Buffer.from(own).fill(1, 0, 8));
    const foreign = await ground.run('recover', '--delta', '--into', into);
    expect(foreign).toMatchObject({ status: 40, stderr: expect.stringContaining('is of the server 72340172838076673') });
    await writeFile(control, own);
    const other = await ground.run('recover', '--delta', '--into', ground.folder);
    expect(other).toMatchObject({ status: 40, stderr: expect.stringContaining('is no data directory') });

    const [command] = await blocksOf('docs/pitr.md', 'sh', '### In place');
    const done = await ground.shell(command!, { '/var/lib/postgresql/17/main': into });
    expect(done).toMatchObject({ status: 0, says: expect.stringContaining('that are as in the backup') });
    expect(await stat(untouched)).toMatchObject({ ino: before.ino, mtimeMs: before.mtimeMs });
    expect(await readdir(folder)).not.toContain('999999');
    expect(await readFile(changed)).not.toEqual(damaged);
    // Then one that a server has worked on, tablespace and all.
    const [{ n: marks }] = (await ground.sql('SELECT count(*)::int AS n FROM marks')) as [{ n: number }];
    const server = await startServerOn(into, ground.server.programs.directory, ground.server.connection);
    await server.row('WITH gone AS (DELETE FROM marks RETURNING n) SELECT count(*) FROM gone');
    await server.stop();
    const { says, marks: there } = await ground.recovered('in-place', '--delta');
    expect(there).toBe(marks);
    expect(says.kept!.files).toBeGreaterThan(100);
  });

  test('a table that was dropped comes back, by the command of docs/pitr.md', async () => {
    const instant = await ground.mark();
    const [{ n: marks }] = (await ground.sql('SELECT count(*)::int AS n FROM marks')) as [{ n: number }];
    await ground.sql('CREATE TABLE other (n int)');
    await ground.sql('DROP TABLE marks');
    await ground.recoverableTo(await ground.now());
    const [command] = await blocksOf('docs/pitr.md', 'sh', '### A table was dropped');
    const names = { '2026-01-31T14:05:00Z': instant, ' shop ': ' postgres ', 'public.orders': 'public.marks' };
    expect(await ground.shell(command!, names)).toMatchObject({ status: 0 });
    expect(await ground.sql('SELECT count(*)::int AS n FROM marks')).toEqual([{ n: marks }]);
  });

  test('a data directory that is gone is made anew, by the commands of docs/pitr.md', async () => {
    const last = await ground.mark();
    const [{ n: marks }] = (await ground.sql('SELECT count(*)::int AS n FROM marks')) as [{ n: number }];
    await ground.recoverableTo(last);
    await ground.server.server.kill();
    const dataDirectory = join(ground.folder, 'main');
    const [commands] = await blocksOf('docs/pitr.md', 'sh', '### The data directory is gone');
    const done = await ground.shell(commands!, { '/var/lib/postgresql/17/main': dataDirectory });
    expect(done).toMatchObject({ status: 0, says: expect.stringContaining(`${dataDirectory} is ready`) });
    expect(await ground.marksIn(dataDirectory)).toBe(marks);
  });
});
