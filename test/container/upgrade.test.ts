import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import { describeWithEngine, REPOSITORY, succeed, withProject } from '../support/compose.ts';

const FIXTURES = join(REPOSITORY, 'test/fixtures');

describeWithEngine('The image', () => {
  test('lists, verifies and restores the backups that earlier images left in the volume', async () => {
    const earlier = (await readdir(FIXTURES)).filter((name) => name.startsWith('backups-of-'));
    expect(earlier).not.toEqual([]);
    await withProject({ POSTGRES_DB: 'shop', BACKUP_SCHEDULE: '0 0 1 1 *' }, async (project) => {
      await project.compose('up', '--detach', '--no-build', '--wait', 'demo-db');
      for (const version of earlier) {
        const pack = [
          'run',
          '--rm',
          '--no-deps',
          '-T',
          '--volume',
          `${join(FIXTURES, version, 'full')}:/earlier:ro`,
          'db-backup',
        ];
        await project.compose(
          ...pack,
          'sh',
          '-c',
          'mkdir -p /backups/full && cp /earlier/* /backups/full/ && chmod 600 /backups/full/*',
        );
      }
      const listed = await project.manage('list-backups', '--json');
      const { backups } = JSON.parse(listed.stdout) as { backups: { label: string; state: string }[] };
      expect(backups).toHaveLength(earlier.length);
      for (const [number, { label, state }] of backups.entries()) {
        expect(state).toBe('complete');
        expect(await project.manage('verify', label)).toMatchObject({ status: 0 });
        expect(await project.manage('restore', label, `earlier_${number}`)).toMatchObject({ status: 0 });
        const count = [
          'exec',
          '-T',
          'demo-db',
          'psql',
          '-qAtXU',
          'postgres',
          '-d',
          `earlier_${number}`,
          '-c',
          'SELECT count(*) FROM customers',
        ];
        expect(await succeed('docker', ['compose', ...count], { env: project.env })).toBe('100');
      }
    });
  });
});
