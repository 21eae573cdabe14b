import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { withClient } from '../../src/postgres/connection.ts';
import { PitrGround, type Answer } from '../support/pitr-ground.ts';
import { installedVersions } from '../support/postgres-versions.ts';
import { startStandby, type Standby } from '../support/standby.ts';

const ALL = process.env['PITR_FAULTS'] === 'all';
/** The first version that makes incremental backups; later ones by hand and where it is asked for: PITR_FAULTS=all. */
const MAJORS = installedVersions().flatMap(({ major }) => (major === 17 || (ALL && major > 17) ? [major] : []));

describe.each(MAJORS)('incremental backups of a standby of PostgreSQL %i', (major) => {
  let ground: PitrGround;
  let standby: Standby;

  beforeAll(async () => {
    ground = await PitrGround.open(major, undefined, { summarize_wal: 'on', full_page_writes: 'on' });
    await ground.sql('CREATE TABLE marks (n int PRIMARY KEY)');
    standby = await startStandby(ground.server, {});
    const { host, port } = standby.connection;
    Object.assign(ground.env, { POSTGRES_HOST: host, POSTGRES_PORT: String(port) });
    await ground.startDaemon();
  });

  afterAll(async () => {
    await standby.stop();
    await ground.close();
  });

  const sql = async (text: string): Promise<Record<string, unknown>[]> =>
    await withClient(standby.connection, async (client) => (await client.query<Record<string, unknown>>(text)).rows);

  /** A standby ends no segment: its primary does while the backup waits for one. */
  async function physical(incrementals: number): Promise<Answer> {
    const progress = { isMade: false };
    const making = ground.physical(incrementals).finally(() => (progress.isMade = true));
    while (!progress.isMade) {
      await ground.mark();
      await ground.sql('SELECT pg_switch_wal()');
      await standby.caughtUp();
    }
    return await making;
  }

  /** All that the newest server has. */
  async function marks(): Promise<number> {
    return Number((await sql('SELECT count(*)::int AS n FROM marks'))[0]!['n']);
  }

  let first: Answer;

  test('build on each other, or are full ones that say why, and recover', async () => {
    const full = await physical(0);
    expect(full).toMatchObject({ outcome: 'success' });
    // So that the standby has come to a restartpoint since.
    await ground.sql('CHECKPOINT');
    await ground.mark();
    await standby.caughtUp();
    first = await physical(2);
    expect(first).toMatchObject({ outcome: 'success', parent: full.label });
    await standby.caughtUp();
    const there = await marks();
    const [row] = await sql(
      `SELECT to_char(pg_last_xact_replay_timestamp() AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') AS at`,
    );
    // Each commit shows that the one before is there.
    for (let at = ''; at < String(row!['at']); await ground.mark()) {
      at = (await ground.json('list-backups', '--recoverable')).windows![0]!.toTime ?? '';
    }
    const recovered = await ground.recovered('of-a-standby');
    expect(recovered).toMatchObject({ says: { chain: [full.label, first.label] } });
    expect(recovered.marks).toBeGreaterThanOrEqual(there);
  });

  test('go on along the new timeline after its promotion', async () => {
    await standby.caughtUp();
    await sql('SELECT pg_promote()');
    await sql('INSERT INTO marks SELECT count(*) + 1 FROM marks');
    const after = await ground.physical(2);
    expect(after).toMatchObject({ outcome: 'success', parent: first.label });
    await sql('INSERT INTO marks SELECT count(*) + 1 FROM marks');
    const [row] = await sql(`SELECT to_char(clock_timestamp() AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') AS at`);
    await ground.recoverableTo(String(row!['at']));
    const recovered = await ground.recovered('promoted');
    expect(recovered).toMatchObject({ marks: await marks(), says: { chain: { length: 3 }, reached: { timeline: 3 } } });
  });
});
