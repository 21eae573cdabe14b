import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdir, mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { PHASES } from '../../src/drill/verdict.ts';
import { createDiskStorage } from '../../src/storage/disk.ts';
import { BARE_ENVIRONMENT } from '../support/environment.ts';
import { sourceSettings } from '../support/command.ts';
import { makeBackup } from '../support/make-backup.ts';
import { processesWith, untilNone } from '../support/processes.ts';
import { startShopServer, type ShopServer } from '../support/shop-server.ts';

const SCRIPT = fileURLToPath(new URL('../support/mortal-drill.ts', import.meta.url));
/** In the middle of the phases that take long enough to have one. */
const MOMENTS = PHASES.map((name) => (name === 'preflight' || name === 'restore' ? `${name}+150` : name));

let shop: ShopServer;
let folder: string;

beforeAll(async () => {
  shop = await startShopServer();
  folder = await mkdtemp(join(tmpdir(), 'kill-drill-'));
  // The account that a throw-away server runs as has to enter.
  await chmod(folder, 0o755);
  for (const name of ['backups', 'work']) await mkdir(join(folder, name));
  await makeBackup(shop.shop, shop.programs, [createDiskStorage({ name: 'local', root: join(folder, 'backups') })]);
});

afterAll(async () => {
  await shop.server.stop();
  await rm(folder, { recursive: true, force: true });
});

interface Drill {
  readonly killed: boolean;
  readonly status?: string;
  readonly swept?: string[];
  readonly error?: unknown;
}

async function drill(fatal = '', more: Record<string, string> = {}): Promise<Drill> {
  const child = spawn(process.execPath, [SCRIPT, fatal], {
    stdio: ['ignore', 'pipe', 'inherit'],
    env: {
      ...{ ...BARE_ENVIRONMENT, ...sourceSettings(shop.shop), BACKUP_DIR: join(folder, 'backups') },
      ...{ BACKUP_WORK_DIR: join(folder, 'work'), BACKUP_PROGRAM_DIRECTORIES: shop.programs.directory, ...more },
    },
  });
  let text = '';
  child.stdout.setEncoding('utf8').on('data', (part: string) => (text += part));
  const [, signal] = (await once(child, 'close')) as [number | null, string | null];
  return { killed: signal === 'SIGKILL', ...(text === '' ? {} : (JSON.parse(text) as object)) };
}

const folders = async (): Promise<string[]> => await readdir(join(folder, 'work'));

test('A drill killed in any of its phases leaves nothing running, and the next one sweeps what it left and succeeds', async () => {
  for (const moment of MOMENTS) {
    const before = await folders();
    expect({ moment, ...(await drill(moment)) }).toEqual({ moment, killed: true });
    // No server, no psql, no lock that would keep the next one out; and what the one before had left is gone.
    expect({ moment, left: await untilNone(() => processesWith(join(folder, 'work'))) }).toEqual({ moment, left: [] });
    const after = await folders();
    expect(after.filter((name) => before.includes(name))).toEqual([]);
    expect(after.length).toBeLessThanOrEqual(1);
  }
  const left = await folders();
  const whole = await drill();
  expect(whole).toMatchObject({ killed: false, status: 'success', swept: left.map((name) => join(folder, 'work', name)) });
  expect(await folders()).toEqual([]);
});

test('A drill killed while it works on a named server leaves scratch databases, which the next one drops; nothing else is touched', async () => {
  const { host, port, user } = shop.shop;
  const target = { DRILL_TARGET_HOST: host, DRILL_TARGET_PORT: String(port), DRILL_TARGET_USER: user };
  await shop.query('postgres', 'CREATE DATABASE bystander');
  const before = await shop.databases();
  expect(await drill('equality', target)).toMatchObject({ killed: true });
  const left = (await shop.databases()).filter((name) => !before.includes(name));
  expect(left).toEqual([expect.stringMatching(/^db_backup_drill_[0-9a-f]{12}_(engine|plain)$/)]);
  // The server takes a moment to notice that its clients are gone.
  const alive = `SELECT FROM pg_stat_activity WHERE application_name ~ '^db-backup drill ' OR datname ~ '^db_backup_drill_'`;
  while ((await shop.query('postgres', alive)).length > 0) await sleep(20);
  expect(await drill('', target)).toMatchObject({ status: 'success', swept: expect.arrayContaining(left) });
  expect(await shop.databases()).toEqual(before);
  expect(await folders()).toEqual([]);
});
