import { chown, mkdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { measure, shell } from '../run/measure.ts';
import { median, type Figure } from './figures.ts';
import type { Ground } from './ground.ts';

/**
 * A base backup, WAL until there is enough, and recoveries to its end in turn: both from folders on this disk, until the server is open.
 * What archives for us is `wal-push`: the same files as a stream makes.
 */
export async function measureRecoveries(
  ground: Ground,
  { rounds, walBytes, signal }: { readonly rounds: number; readonly walBytes: number; readonly signal: AbortSignal },
): Promise<{ readonly figures: Figure[]; readonly walBytes: number }> {
  const written = await makeHistory(ground, walBytes);
  const { folder, account, programs } = ground;
  const places = { ours: join(folder, 'recovered-by-us'), pgBackRest: join(folder, 'recovered-by-pgbackrest') };
  const options = '-c hot_standby=off -c archive_mode=off -c listen_addresses= -c unix_socket_directories=' + places.pgBackRest;
  const asAccount = account ? `setpriv --reuid ${account.uid} --regid ${account.gid} --clear-groups ` : '';
  const pgCtl = `${asAccount}'${join(programs.directory, 'pg_ctl')}' -D ${places.pgBackRest}`;
  const untilOpen = `until sed -n 8p ${places.pgBackRest}/postmaster.pid | grep -q ready; do sleep 0.05; done`;
  const restore = ground.pgBackRest(`--pg1-path=${places.pgBackRest} restore`).args.at(-1)!;
  const ways = [
    { name: 'recover --start', place: places.ours, command: ground.ours('recover', '--start', '--into', places.ours) },
    {
      name: 'pgbackrest restore, and replay',
      place: places.pgBackRest,
      // A server that still recovers is started, for pg_ctl.
      command: shell(
        `${restore}; ${pgCtl} -w -t 3600 -s -l ${places.pgBackRest}/log.txt -o '${options}' start; ${untilOpen}`,
        {},
      ),
    },
  ];
  const runs = ways.map((): number[] => []);
  for (let round = 0; round < rounds; round += 1) {
    for (const [at, { place, command }] of ways.entries()) {
      if (place === places.pgBackRest) {
        await mkdir(place, { mode: 0o700 });
        if (account) await chown(place, account.uid, account.gid);
      }
      // Below us is the server as well, which pgBackRest's has left: ours alone would be held up.
      runs[at]!.push((await measure(command, ground.postmaster, signal, false)).seconds);
      await endServer(place);
    }
  }
  const figures = ways.map(({ name }, at) => ({ name, seconds: median(runs[at]!), rounds: runs[at]! }));
  return { figures, walBytes: written };
}

async function makeHistory(ground: Ground, walBytes: number): Promise<number> {
  const { program, env, folder } = ground;
  const push = `env ${Object.entries(env)
    .map(([name, value]) => `${name}=${value}`)
    .join(' ')} ${program.node} ${program.cli} wal-push %p`;
  const { args } = ground.pgBackRest('archive-push %p');
  await rm(join(folder, 'ours'), { recursive: true, force: true });
  await mkdir(join(folder, 'ours'));
  if (ground.account) await chown(join(folder, 'ours'), ground.account.uid, ground.account.gid);
  // The server runs it as its account already.
  const archive = args
    .at(-1)!
    .replace(/^.*clear-groups /, '')
    .replace(/^set -o pipefail; /, '');
  await ground.archiveBy(`${archive} && ${push}`);
  // As with a stream: the WAL that it needs comes from the archive.
  const base = ground.ours('create-backup', '--physical');
  const own = { ...base, env: { ...base.env, PITR_ENABLED: 'true' } };
  await measure(own, ground.postmaster, new AbortController().signal);
  const { file, args: backup } = ground.pgBackRest('--type=full backup');
  await measure({ file, args: backup, env: {} }, ground.postmaster, new AbortController().signal);
  const bytes = async () =>
    Number((await ground.sql<{ n: string }>(`SELECT pg_wal_lsn_diff(pg_current_wal_lsn(), '0/0')::text AS n`))[0]!.n);
  const from = await bytes();
  // Small transactions, and large ones.
  while ((await bytes()) - from < walBytes) {
    await ground.pgbench('-n -c 8 -j 2 -T 5');
    await ground.sql('UPDATE pgbench_accounts SET abalance = abalance + 1 WHERE aid % 4 = 0');
  }
  const written = (await bytes()) - from;
  const [last] = await ground.sql<{ name: string }>('SELECT pg_walfile_name(pg_switch_wal()) AS name');
  for (;;) {
    const [archived] = await ground.sql<{ done: boolean }>(
      `SELECT last_archived_wal >= '${last!.name}' AS done FROM pg_stat_archiver`,
    );
    if (archived!.done) break;
    await sleep(200);
  }
  await ground.archiveBy(undefined);
  // What the source still has to do after so much WAL would go on during the first rounds.
  await ground.sql('ALTER SYSTEM SET autovacuum = off');
  await ground.sql('SELECT pg_reload_conf()');
  await ground.sql(`SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE backend_type = 'autovacuum worker'`);
  await ground.sql('CHECKPOINT');
  return written;
}

async function endServer(place: string): Promise<void> {
  const pid = Number((await readFile(join(place, 'postmaster.pid'), 'utf8')).split('\n')[0]);
  process.kill(pid, 'SIGQUIT');
  while (
    await readFile(`/proc/${pid}/stat`).then(
      () => true,
      () => false,
    )
  )
    await sleep(20);
  await rm(place, { recursive: true });
  await rm(`${place}.tablespaces`, { recursive: true, force: true });
}
