import { chmod, mkdir, mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import { systemClock, type Clock } from '../../src/clock.ts';
import type { DrillRequest, RestoreDrillParts } from '../../src/jobs/drill-parts.ts';
import { createRestoreDrill, type RestoreDrillOutcome } from '../../src/jobs/restore-drill.ts';
import { createDiskStorage, type DiskStorage } from '../../src/storage/disk.ts';

const MINUTE = 60_000;

/** Folders and parts for drills: a local target, another one that is away, and what a drill needs besides. */
export interface DrillGround {
  readonly folder: string;
  readonly work: string;
  readonly local: DiskStorage;
  readonly away: DiskStorage;
  readonly assertions: string;
  readonly parts: RestoreDrillParts;
  run(
    changes?: Partial<RestoreDrillParts>,
    request?: DrillRequest,
    context?: { signal?: AbortSignal; clock?: Clock },
  ): Promise<RestoreDrillOutcome>;
  /** What drills have left in the work folder. */
  leftovers(): Promise<string[]>;
  remove(): Promise<void>;
}

export async function makeDrillGround(directories: readonly string[]): Promise<DrillGround> {
  const folder = await mkdtemp(join(tmpdir(), 'drill-test-'));
  // The account that a throw-away server runs as has to enter.
  await chmod(folder, 0o755);
  const at = (name: string) => join(folder, name);
  for (const name of ['local', 'away', 'work', 'drill.d']) await mkdir(at(name));
  const [local, away] = (['local', 'away'] as const).map((name) => createDiskStorage({ name, root: at(name) })) as [
    DiskStorage,
    DiskStorage,
  ];
  const parts: RestoreDrillParts = {
    source: 'shop',
    sourceNamed: true,
    targets: [local],
    local: ['local'],
    directories,
    workFolder: at('work'),
    lock: { root: at('local'), folder: join(at('local'), 'restore-tests', '.lock') },
    reports: [{ storage: createDiskStorage({ name: 'reports', root: at('local'), readable: true }), prefix: 'restore-tests/' }],
    backupReports: [{ storage: local, prefix: 'logs/' }],
    workers: 2,
    assertions: at('drill.d'),
    allowed: [],
    rpoMinutes: 60,
    rtoMinutes: 30,
    scheduleMinutes: () => 1440,
    timeouts: {
      ...{ fetch: MINUTE, preflight: MINUTE, restore: MINUTE, equality: MINUTE },
      ...{ health: MINUTE, assertions: MINUTE, 'negative control': MINUTE, 'clean-up': MINUTE },
    },
    redact: (text) => text,
    version: '0.1.0',
  };
  return {
    ...{ folder, local, away, parts, work: at('work'), assertions: at('drill.d') },
    run: (changes = {}, request = {}, context = {}) =>
      createRestoreDrill({ ...parts, ...changes }, request).run({
        signal: context.signal ?? new AbortController().signal,
        clock: context.clock ?? systemClock,
        log: pino({ level: 'silent' }),
      }),
    leftovers: () => readdir(at('work')),
    remove: () => rm(folder, { recursive: true, force: true }),
  };
}

/** Verdicts by phase. */
export function verdictsOf({ summary }: RestoreDrillOutcome): Record<string, string> {
  return Object.fromEntries(summary.phases.map(({ name, verdict }) => [name, verdict]));
}

/** All findings of a phase, a line each. */
export function findingsOf({ summary }: RestoreDrillOutcome, name: string): string[] {
  return (summary.phases.find((phase) => phase.name === name)?.findings ?? []).map(
    ({ object, message }) => `${object}: ${message}`,
  );
}

export async function readReport({ report }: RestoreDrillOutcome): Promise<Record<string, unknown>> {
  return JSON.parse(await readFile(report!, 'utf8')) as Record<string, unknown>;
}
