import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import { describeWithEngine, IMAGE, run, withProject, type Project } from '../support/compose.ts';

/** The health check as it is, without the minutes that a first backup is given. */
async function checkOften(project: Project): Promise<void> {
  const file = join(project.folder, 'often.yml');
  await writeFile(file, 'services: { db-backup: { healthcheck: { start_period: 1s, interval: 1s } } }\n');
  project.env['COMPOSE_FILE'] = `docker-compose.backup.yml:${file}`;
}

describeWithEngine('A service that cannot do its work', () => {
  test('is unhealthy with a wrong password, goes on, and says what is wrong', async () => {
    await withProject({}, async (project) => {
      await project.compose('up', '--detach', '--no-build', '--wait', 'demo-db');
      await writeFile(join(project.folder, 'wrong'), 'guess');
      project.env['POSTGRES_PASSWORD_FILE'] = join(project.folder, 'wrong');
      await checkOften(project);
      await project.compose('up', '--detach', '--no-build', '--no-deps', 'db-backup');
      await project.health('unhealthy');
      expect(await project.inspect('db-backup', '{{.State.Running}} {{.RestartCount}}')).toBe('true 0');
      expect(await project.manage('status')).toMatchObject({ status: 10, stdout: expect.stringContaining('password') });
      expect(await project.logs()).not.toContain('guess');
    });
  });

  test('refuses to back up into the container itself when no volume is mounted', async () => {
    const args = [
      'run',
      '--rm',
      '--network=none',
      '--env=POSTGRES_DB=x',
      '--env=POSTGRES_HOST=127.0.0.1',
      IMAGE,
      'backup-manager',
    ];
    const { status, stdout } = await run('docker', [...args, 'status']);
    expect(stdout).toContain('no volume is mounted at /backups');
    expect(status).not.toBe(0);
  });

  test('is unhealthy when the folder of the backups belongs to somebody else, and says whose it should be', async () => {
    await withProject({}, async (project) => {
      const folder = join(project.folder, 'data');
      await mkdir(folder, { mode: 0o755 });
      project.env['BACKUP_VOLUME'] = folder;
      await checkOften(project);
      await project.compose('up', '--detach', '--no-build');
      await project.health('unhealthy');
      expect(await project.manage('status')).toMatchObject({ stdout: expect.stringContaining('permission was denied') });
      expect(await project.manage('create-backup')).toMatchObject({
        status: 20,
        stderr: expect.stringMatching(/permission was denied[^]*chown/),
      });
    });
  });
});
