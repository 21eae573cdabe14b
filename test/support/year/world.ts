import { isAbsolute, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { cleanupParts } from '../../../src/assemble/cleanup-parts.ts';
import type { Config } from '../../../src/config.ts';
import { loadConfig } from '../../../src/config/choose-source.ts';
import { BackupError } from '../../../src/errors.ts';
import type { WeeklyCleanupParts } from '../../../src/jobs/cleanup-parts.ts';
import { generateKey, readSigningKey } from '../../../src/report/evidence-key.ts';
import { createLedger, recordRemovedReports, type Ledger } from '../../../src/report/ledger.ts';
import type { ReportPlace } from '../../../src/report/report-file.ts';
import { createMemoryStorage } from '../../../src/storage/memory.ts';
import type { Storage } from '../../../src/storage/storage.ts';
import { FakeTime } from '../fake-time.ts';
import { seededRandom } from '../random.ts';
import { Account } from './account.ts';

/** What the next clean-up meets: a target that cannot be listed, or that stops to remove things after so many. */
export interface Trouble {
  list: boolean;
  removals: number;
  /** Which target gets no backup, and how long. */
  away: { readonly target: string; readonly until: number };
}

/** Everything that outlasts a daemon: time, chance, what is stored, the ledger. */
export interface World {
  readonly seed: number;
  readonly time: FakeTime;
  readonly random: () => number;
  readonly chance: (probability: number) => boolean;
  readonly config: Config;
  readonly targets: readonly Storage[];
  readonly reports: Storage;
  readonly places: readonly ReportPlace[];
  readonly cleanup: WeeklyCleanupParts;
  readonly account: Account;
  readonly trouble: Trouble;
  readonly folder: string;
  readonly publicKey: ReturnType<typeof generateKey>['publicKey'];
  readonly openLedger: () => Ledger;
  /** What was found wrong as it happened. */
  readonly wrong: string[];
}

/**
 * Two targets as people have them, and one that keeps nothing for its own sake: there, only what protects the newest one and the
 * newest proven one holds anything.
 */
export function createWorld(seed: number, folder: string): World {
  const time = new FakeTime('2026-01-01T00:10:00Z');
  const random = seededRandom(seed);
  const env = {
    ...{
      POSTGRES_DB: 'shop',
      BACKUP_DIR: folder,
      BACKUP_S3_BUCKET: 'bucket',
      AWS_REGION: 'eu-central-1',
    },
    ...{
      RETENTION_DAYS: '2',
      RETENTION_MINIMUM: '3',
      RETENTION_S3_DAYS: '7',
      RETENTION_S3_WEEKLY: '4',
      RETENTION_S3_MONTHLY: '12',
    },
    ...{ BACKUP_HEALTH_SCHEDULE: '0 */12 * * *', SCRUB_MEBIBYTES: '0' },
  };
  const config = loadConfig({ env, configDirectory: fileURLToPath(new URL('../../../config', import.meta.url)) });
  const trouble: Trouble = { list: false, removals: Infinity, away: { target: '', until: 0 } };
  const targets = ['local', 's3', 'bare'].map((name) => troubled(createMemoryStorage({ name, clock: time }), trouble));
  const reports = createMemoryStorage({ name: 'reports', clock: time });
  const places = [{ storage: reports, prefix: 'logs/' }];
  const { privatePem, publicKey } = generateKey();
  const key = readSigningKey(privatePem);
  const ledgerFolder = join(folder, 'logs');
  // flock(2) takes a process each time; here nobody else is at work.
  const lock = async () => ({ release: async () => undefined });
  const openLedger = () => createLedger({ folder: ledgerFolder, root: folder, clock: time, key, lock });
  const given = {
    ...{ targets, reports: places, drillReports: places, version: '1.0.0', elsewhere: () => false },
    repair: { attempts: 1, baseDelayMs: 1, maxDelayMs: 1 },
  };
  const parts = cleanupParts(config, given);
  const own = parts.sources[0]!;
  const nothing = { days: 0, daily: 0, weekly: 0, monthly: 0, yearly: 0, minimum: 0 };
  const cleanup: WeeklyCleanupParts = {
    ...parts,
    workFolder: folder,
    sources: [{ ...own, rules: new Map([...own.rules, ['bare', nothing]]) }],
    recordRemovedReports: (locations, why) =>
      recordRemovedReports(
        openLedger(),
        locations.map((location) => (isAbsolute(location) ? relative(ledgerFolder, location) : location)),
        why,
      ),
  };
  return {
    ...{ seed, time, random, config, targets, reports, places, cleanup, trouble, openLedger, publicKey },
    chance: (probability) => random() < probability,
    account: new Account(cleanup.sources[0]!.rules),
    folder: ledgerFolder,
    wrong: [],
  };
}

function troubled(inner: Storage, trouble: Trouble): Storage {
  const unreachable = () => new BackupError('STORAGE_UNAVAILABLE', `${inner.name} does not answer`, { retryable: true });
  return {
    ...inner,
    async *list(prefix, signal) {
      if (trouble.list && prefix.startsWith('full')) throw unreachable();
      yield* inner.list(prefix, signal);
    },
    async remove(key, signal) {
      if (key.startsWith('full') && (trouble.removals -= 1) < 0) throw unreachable();
      await inner.remove(key, signal);
    },
  };
}
