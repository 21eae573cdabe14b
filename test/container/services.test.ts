import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { describeWithEngine, IMAGE, openProject, PASSWORD, run, succeed } from '../support/compose.ts';

describeWithEngine('The services of docker-compose.backup.yml, with the sample database', () => {
  let project: Awaited<ReturnType<typeof openProject>>;
  const query = (database: string, sql: string) =>
    project.compose('exec', '-T', 'demo-db', 'psql', '-qAtXU', 'postgres', '-d', database, '-c', sql);

  beforeAll(async () => {
    project = await openProject();
    await project.compose('up', '--detach', '--no-build');
    await project.health('healthy');
  });
  afterAll(() => project.close());

  test('make a first backup by themselves, and start no drill', async () => {
    const { stdout } = await project.manage('list-backups', '--json');
    expect(JSON.parse(stdout)).toMatchObject({ backups: [{ state: 'complete', source: 'modulodb' }] });
    expect(await project.compose('ps', '--all', '--quiet', 'restore-drill')).toBe('');
  });

  test('run as nobody in particular, on a read-only root, with no capabilities, and with limits', async () => {
    const { stdout: processes } = await project.exec(
      'db-backup',
      'sh',
      '-c',
      'id -u; grep -E "^(CapEff|CapBnd|NoNewPrivs)" /proc/1/status; cat /proc/1/comm',
    );
    expect(processes).toMatch(
      /^1000\nCapBnd:\t0+\nCapEff:\t0+\nNoNewPrivs:\t1\ntini\n$|^1000\nCapEff:\t0+\nCapBnd:\t0+\nNoNewPrivs:\t1\ntini\n$/,
    );
    expect(await project.exec('db-backup', 'touch', '/app/x')).toMatchObject({
      status: 1,
      stderr: expect.stringContaining('Read-only'),
    });
    expect(await project.exec('db-backup', 'touch', '/tmp/x')).toMatchObject({ status: 1 });
    const settings = JSON.parse(await project.inspect('db-backup', '{{json .HostConfig}}')) as Record<string, unknown>;
    expect(settings).toMatchObject({
      ReadonlyRootfs: true,
      CapDrop: ['ALL'],
      SecurityOpt: ['no-new-privileges:true'],
      Memory: 1024 ** 3,
      PidsLimit: 512,
      LogConfig: { Type: 'json-file', Config: { 'max-size': '10m', 'max-file': '5' } },
      RestartPolicy: { Name: 'unless-stopped' },
    });
    expect(await project.inspect('db-backup', '{{.Config.StopTimeout}}')).toBe('15');
  });

  test('show the password nowhere: not in the image, the containers, their processes, logs or reports', async () => {
    const places = [
      await succeed('docker', ['inspect', IMAGE]),
      await succeed('docker', ['history', '--no-trunc', IMAGE]),
      await project.inspect('db-backup', '{{json .}}'),
      await project.inspect('demo-db', '{{json .}}'),
      await project.logs(),
      (await project.exec('db-backup', 'sh', '-c', 'cat /proc/[0-9]*/cmdline /proc/[0-9]*/environ 2>/dev/null | tr "\\0" "\\n"'))
        .stdout,
      (await project.exec('db-backup', 'sh', '-c', 'cat /backups/logs/*')).stdout,
    ];
    for (const place of places) {
      expect(place.length).toBeGreaterThan(100);
      expect(place).not.toContain(PASSWORD);
    }
  });

  test('answer to scripts/backup-manager.sh from any folder, and pass exit statuses on', async () => {
    expect(await project.manage('status')).toMatchObject({ status: 0 });
    expect(await project.manage('create-backup')).toMatchObject({ status: 0 });
    expect(await project.manage('cleanup')).toMatchObject({ status: 0 });
    expect(await project.manage('logs', 'backup')).toMatchObject({ status: 0, stdout: expect.stringContaining('backup') });
    expect(await project.manage('verify', 'no-such-backup')).toMatchObject({ status: 30 });
    expect(await project.manage('no-such-command')).toMatchObject({ status: 2 });
    expect(await project.manage('help')).toMatchObject({ status: 0, stdout: expect.stringContaining('restore [FILE] [DB]') });
    expect(await project.manage('shell', '-c', 'exit 7')).toMatchObject({ status: 7 });
  });

  test('restore as the requirements have it: the newest, or a file by its path, into a named database', async () => {
    const newest = await project.manage('restore', '', 'modulodb_test');
    expect(newest).toMatchObject({ status: 0 });
    const orders = 'SELECT count(*), sum(total) FROM application.orders';
    expect(await query('modulodb_test', orders)).toBe(await query('modulodb', orders));
    const { stdout: file } = await project.exec('db-backup', 'sh', '-c', 'ls /backups/full/*.sql.gz | head -n 1');
    expect(await project.manage('restore', file.trim(), 'modulodb_old')).toMatchObject({ status: 0 });
    expect(await query('modulodb_old', orders)).toBe(await query('modulodb', orders));
    expect(await project.manage('restore', file.trim(), 'modulodb_old')).toMatchObject({ status: 40 });
    expect(await project.manage('restore')).toMatchObject({ status: 0 });
    expect(await query('modulodb_restored', orders)).toBe(await query('modulodb', orders));
  });

  test('drill, in the service and in the one-shot service', async () => {
    const drill = await project.manage('monthly-drill', '--json');
    expect(JSON.parse(drill.stdout)).toMatchObject({ status: 'success', rto_compliant: true, rpo_compliant: true });
    expect(drill.status).toBe(0);
    const { status } = await run('docker', ['compose', 'run', '--rm', '-T', 'restore-drill'], { env: project.env });
    expect(status).toBe(0);
    const { stdout } = await project.exec('db-backup', 'sh', '-c', 'ls /backups/restore-tests; ls -A /work');
    expect(stdout.match(/monthly_drill_\w+\.json/g)).toHaveLength(2);
    expect(stdout).not.toContain('throw-away');
  });

  test('work without the daemon: in a container of its own, and status says that nobody makes the next backup', async () => {
    expect(await project.manage('stop-services')).toMatchObject({ status: 0 });
    expect(await project.inspect('db-backup', '{{.State.ExitCode}}')).toBe('0');
    expect(await project.manage('list-backups')).toMatchObject({ status: 0 });
    expect(await project.manage('status')).toMatchObject({ status: 3, stderr: expect.stringContaining('start-services') });
    expect(await project.manage('start-services')).toMatchObject({ status: 0 });
    await project.health('healthy');
  });
});
