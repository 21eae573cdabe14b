import { chown, mkdir, readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import { describeWithEngine, until, withProject, type Project } from '../support/compose.ts';

const USER = 4711;

/** A cron expression for once, some seconds from now. */
function soon(seconds: number): string {
  const at = new Date(Date.now() + seconds * 1000);
  return `${at.getUTCSeconds()} ${at.getUTCMinutes()} ${at.getUTCHours()} * * *`;
}

const names = (folder: string) => readdir(folder).catch(() => []);

describeWithEngine('The daemon in its container', () => {
  test('backs up and drills at its times, as any user, into a folder of the host', async () => {
    await withProject({ BACKUP_USER: `${USER}:0`, BACKUP_WORK_VOLUME: 'work' }, async (project) => {
      const data = join(project.folder, 'data');
      await mkdir(data);
      await chown(data, USER, 0);
      await project.compose('up', '--detach', '--no-build', '--wait', 'demo-db');
      Object.assign(project.env, { BACKUP_VOLUME: data, BACKUP_SCHEDULE: soon(20), DRILL_SCHEDULE: soon(35) });
      await project.compose('up', '--detach', '--no-build', 'db-backup');
      const drills = join(data, 'restore-tests');
      const drill = await until(async () => (await names(drills)).find((name) => name.endsWith('.json')), project.logs);
      expect(
        JSON.parse(await project.exec('db-backup', 'cat', `/backups/restore-tests/${drill}`).then(({ stdout }) => stdout)),
      ).toMatchObject({
        status: 'success',
      });
      const reports = (await names(join(data, 'logs'))).filter((name) => name.startsWith('backup_report_'));
      expect(reports.length).toBeGreaterThan(0);
      for (const file of [join(drills, drill), join(data, 'logs', reports[0]!)]) {
        const { uid, mode } = await stat(file);
        expect({ uid, mode: mode & 0o777 }).toEqual({ uid: USER, mode: 0o644 });
      }
      const [dump] = (await names(join(data, 'full'))).filter((name) => name.endsWith('.sql.gz'));
      expect(await stat(join(data, 'full', dump!)).then(({ uid, mode }) => [uid, mode & 0o777])).toEqual([USER, 0o600]);
    });
  });
});

describeWithEngine('With two gigabytes of rows and 512 MB of memory', () => {
  const GIGABYTES = 2;
  const fill = `CREATE UNLOGGED TABLE big (id int, filling text);
    ALTER TABLE big ALTER filling SET STORAGE PLAIN;
    INSERT INTO big SELECT i, left(repeat(md5(i::text), 220), 7000) FROM generate_series(1, ${(GIGABYTES * 1e9) / 7000}) i`;
  const sql = (project: Project, text: string) =>
    project.compose('exec', '-T', 'demo-db', 'psql', '-qAtXU', 'postgres', '-d', 'modulodb', '-c', text);
  /** What lies where the dumps are. */
  const left = async (project: Project) =>
    (await project.compose('run', '--rm', '--no-deps', '-T', 'db-backup', 'sh', '-c', 'ls -A /backups/full'))
      .split('\n')
      .filter(Boolean);
  const inDump = (project: Project) =>
    until(
      async () => (await project.exec('db-backup', 'sh', '-c', 'ls -A /backups/full')).stdout.includes('.partial') || undefined,
      project.logs,
    );

  test('a backup succeeds; one that is stopped or killed leaves nothing that looks like a backup, and the next one works', async () => {
    await withProject({ BACKUP_MEMORY: '512m', BACKUP_SCHEDULE: '0 0 1 1 *' }, async (project) => {
      await project.compose('up', '--detach', '--no-build', '--wait', 'demo-db');
      await sql(project, fill);

      project.env['BACKUP_SCHEDULE'] = soon(10);
      await project.compose('up', '--detach', '--no-build', '--no-deps', 'db-backup');
      await inDump(project);
      await project.compose('stop', 'db-backup');
      expect(await project.inspect('db-backup', '{{.State.ExitCode}} {{.State.OOMKilled}}')).toBe('130 false');
      expect(await left(project)).toEqual([]);

      project.env['BACKUP_SCHEDULE'] = soon(10);
      await project.compose('up', '--detach', '--no-build', '--no-deps', 'db-backup');
      await inDump(project);
      await project.compose('kill', 'db-backup');
      expect((await left(project)).filter((name) => !name.startsWith('.'))).toEqual([]);

      project.env['BACKUP_SCHEDULE'] = '0 0 1 1 *';
      await project.compose('up', '--detach', '--no-build', '--no-deps', '--force-recreate', 'db-backup');
      await until(async () => (await project.manage('create-backup')).status === 0, project.logs);
      const { stdout } = await project.manage('list-backups', '--json');
      const { backups } = JSON.parse(stdout) as { backups: { state: string }[] };
      expect(backups.length).toBeGreaterThan(0);
      expect(backups.every(({ state }) => state === 'complete')).toBe(true);
      expect((await left(project)).filter((name) => name.startsWith('.'))).toEqual([]);
      expect(await project.inspect('db-backup', '{{.State.OOMKilled}} {{.HostConfig.Memory}}')).toBe(`false ${512 * 1024 ** 2}`);
    });
  });
});
