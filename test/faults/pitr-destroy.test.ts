import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from '@jest/globals';
import { withClient } from '../../src/postgres/connection.ts';
import { microseconds } from '../../src/drill/transaction-ends.ts';
import { PitrGround } from '../support/pitr-ground.ts';
import { installedVersions } from '../support/postgres-versions.ts';
import { processesWith } from '../support/processes.ts';
import { seededRandom } from '../support/random.ts';

/** More of them, and other seeds, by hand: PITR_ROUNDS=20 PITR_SEED=7. */
const ROUNDS = Number(process.env['PITR_ROUNDS'] ?? 1);
const SEED = Number(process.env['PITR_SEED'] ?? 1);
const WRITERS = 3;
const majors = installedVersions().flatMap(({ major }) => (major === 15 || major === 17 ? [major] : []));

/** Commits of one writer, in order: each began at its time, and had been acknowledged when the next began. */
type Log = bigint[];

interface Load {
  readonly logs: readonly Log[];
  /** Resolves when the server is gone. */
  readonly ended: Promise<unknown>;
}

/** Writers that commit one row after another, until the server is no more. */
function startLoad(ground: PitrGround): Load {
  const logs: Log[] = Array.from({ length: WRITERS }, () => []);
  const write = async (log: Log, writer: number) =>
    await withClient(ground.server.connection, async (client) => {
      await client.query('SET synchronous_commit = on');
      for (let n = 0; ; n += 1) {
        const { rows } = await client.query<{ time: string }>(
          `INSERT INTO written VALUES ($1, $2) RETURNING to_char(clock_timestamp() AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') AS time`,
          [writer, n],
        );
        log.push(microseconds(rows[0]!.time));
      }
    }).catch(() => undefined);
  return { logs, ended: Promise.all(logs.map(write)) };
}

/** Recovers to `target` and compares what is there with what the writers know: all from before `instant`, nothing from after it. */
async function compare(ground: PitrGround, { logs }: Load, name: string, ...target: string[]): Promise<number> {
  const { says, rows } = await ground.inspect(
    name,
    'SELECT writer, array_agg(n ORDER BY n) AS numbers FROM written GROUP BY writer',
    ...target,
  );
  const last = microseconds(says.reached!.lastTransaction!);
  const instant = says.asked === 'latest' ? last : microseconds(says.asked!);
  let compared = 0;
  for (const [writer, log] of logs.entries()) {
    const there = (rows.find((row) => row['writer'] === writer)?.['numbers'] ?? []) as number[];
    // Without a hole: no later commit without the ones before.
    expect(there).toEqual(there.map((_, n) => n));
    const acknowledged = log.filter((_, n) => log[n + 1] !== undefined && log[n + 1]! <= instant).length;
    const notBegun = log.findIndex((began) => began > instant);
    expect(there.length).toBeGreaterThanOrEqual(acknowledged);
    if (notBegun >= 0) expect(there.length).toBeLessThanOrEqual(notBegun);
    compared += there.length;
  }
  return compared;
}

test.each(Array.from({ length: ROUNDS }, (_, round) => [SEED + round]))(
  'a server that is destroyed under load comes back at an instant chosen before, and at the newest, with what was acknowledged (seed %i)',
  async (seed) => {
    const random = seededRandom(seed);
    const ground = await PitrGround.open(majors[seed % majors.length]!);
    try {
      await ground.sql('CREATE TABLE written (writer int, n int, PRIMARY KEY (writer, n))');
      await ground.startDaemon();
      const before = startLoad(ground);
      expect(await ground.json('create-backup', '--physical')).toMatchObject({ outcome: 'success' });
      await sleep(random() * 800);
      if (random() < 0.4) {
        for (const pid of await processesWith(`pg_receivewal\0-D\0${ground.folder}`))
          process.kill(Number.parseInt(pid, 10), 'SIGKILL');
      }
      if (random() < 0.4) await ground.sql('SELECT pg_switch_wal()');
      if (random() < 0.3) {
        await ground.endDaemon('SIGKILL');
        await ground.startDaemon();
      }
      const instant = await ground.now();
      await sleep(random() * 500);
      await ground.recoverableTo(instant);
      await sleep(random() * 1500);
      // First one or the other, or the server alone.
      if (random() < 0.3) await ground.endDaemon('SIGKILL');
      await ground.server.server.kill();
      await before.ended;
      await ground.endDaemon('SIGKILL');

      const then = await compare(ground, before, 'then', '--to', instant);
      const newest = await compare(ground, before, 'newest', '--to', 'latest');
      expect(then).toBeGreaterThan(0);
      expect(newest).toBeGreaterThan(then);
    } finally {
      await ground.close();
    }
  },
);
