import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { absentAs } from '../../src/errors.ts';
import { describeMachine } from '../machine.ts';
import type { Figure, LoadFigures, PhysicalFigures } from './figures.ts';

const MB = 1e6;

/** The page of the figures; with a folder they are written there, together with those of other works that are there of the same commit. */
export async function addPhysical(folder: string | undefined, figures: PhysicalFigures): Promise<string> {
  if (folder === undefined) return page(figures);
  const path = join(folder, `physical-${figures.gb}gb`);
  const there = await absentAs(undefined, readFile(`${path}.json`, 'utf8'));
  const before = there === undefined ? undefined : (JSON.parse(there) as PhysicalFigures);
  const all = before?.commit === figures.commit ? { ...before, ...figures } : figures;
  await writeFile(`${path}.json`, `${JSON.stringify(all, null, 2)}\n`);
  await writeFile(`${path}.md`, page(all));
  return page(all);
}

function page({ gb, date, commit, baseRawBytes, walBytes, base, recovery, load }: PhysicalFigures): string {
  const { cpu, cores, memoryBytes, kernel } = describeMachine();
  return [
    `# Physical backups and recovery, ${gb} GB`,
    '',
    `${date}, commit ${commit}. ${cpu}, ${cores} cores, ${mb(memoryBytes)}, Linux ${kernel}.`,
    ...(baseRawBytes === undefined ? [] : [`The server has ${mb(baseRawBytes)}.`]),
    ...(base ? ['', '## Base backup, zstd 1', '', ...table(base)] : []),
    ...(recovery
      ? ['', `## Recovery of it and of ${mb(walBytes ?? 0)} of WAL, until the server is open`, '', ...table(recovery)]
      : []),
    ...(load ? ['', `## pgbench -c 8 for ${load.seconds} s, in turn`, '', ...loadLines(load)] : []),
    '',
  ].join('\n');
}

function table(figures: readonly Figure[]): string[] {
  const [ours] = figures;
  return [
    '| | median | rounds | ours is so many times as fast | size | memory |',
    '| --- | --- | --- | --- | --- | --- |',
    ...figures.map(({ name, seconds, rounds, bytes, treeBytes }) => {
      const cells = [
        ...[name.replaceAll('|', String.raw`\|`), `${seconds.toFixed(2)} s`, rounds.map((each) => each.toFixed(2)).join(', ')],
        ...[
          (seconds / ours!.seconds).toFixed(2),
          bytes === undefined ? '' : mb(bytes),
          treeBytes === undefined ? '' : mb(treeBytes),
        ],
      ];
      return `| ${cells.join(' | ')} |`;
    }),
  ];
}

function loadLines({
  without,
  withUs,
  ratio,
  bare,
  bareRatio,
  segmentsBehind,
  recoveryPoint,
  offSite,
  daemonBytes,
}: LoadFigures): string[] {
  const rates = (of: readonly number[]): string => of.map((each) => each.toFixed(0)).join(', ');
  return [
    '| | |',
    '| --- | --- |',
    `| transactions a second without us | ${rates(without)} |`,
    `| with \`pg_receivewal\` alone | ${rates(bare)} (${bareRatio.toFixed(3)} of that without) |`,
    `| with us | ${rates(withUs)} (${ratio.toFixed(3)} of that without) |`,
    `| most that was not received | ${segmentsBehind.toFixed(2)} segments |`,
    `| recovery point, on disk | median ${recoveryPoint.median.toFixed(1)} s, highest ${recoveryPoint.highest.toFixed(1)} s |`,
    ...(offSite
      ? [`| recovery point, off-site | median ${offSite.median.toFixed(1)} s, highest ${offSite.highest.toFixed(1)} s |`]
      : []),
    `| memory of the daemon and its receiver | ${mb(daemonBytes)} |`,
  ];
}

function mb(bytes: number): string {
  return `${(bytes / MB).toFixed(0)} MB`;
}
