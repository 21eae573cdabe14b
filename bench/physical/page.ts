import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { absentAs } from '../../src/errors.ts';
import { describeMachine } from '../machine.ts';
import type { Figure, LoadFigure, LoadFigures, PhysicalFigures, Spread } from './figures.ts';

const MB = 1e6;

/** The page of the figures; with a folder they are written there, together with those of other works that are there of the same commit. */
export async function addPhysical(folder: string | undefined, figures: PhysicalFigures): Promise<string> {
  if (folder === undefined) return page(figures);
  await mkdir(folder, { recursive: true });
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

function loadLines({ ways }: LoadFigures): string[] {
  const seconds = (of: Spread | undefined): string =>
    of === undefined ? '' : `median ${of.median.toFixed(1)} s, highest ${of.highest.toFixed(1)} s`;
  const digits = (of: number | undefined, count: number): string => of?.toFixed(count) ?? '';
  const rows: readonly (readonly [string, (way: LoadFigure) => string])[] = [
    ['transactions a second', ({ rounds }) => rounds.map((each) => each.toFixed(0)).join(', ')],
    ['of that without', ({ ratio }) => digits(ratio, 3)],
    ['WAL a second', ({ walBytesASecond }) => mb(walBytesASecond)],
    ['processor time of a transaction, server', ({ serverMicroseconds }) => `${digits(serverMicroseconds, 0)} µs`],
    ['of what receives', ({ receiverMicroseconds: of }) => (of === undefined ? '' : `${digits(of, 1)} µs`)],
    ['most that was not received, segments', ({ segmentsBehind }) => digits(segmentsBehind, 2)],
    ['most segments that were finished and not stored', ({ segmentsWaiting }) => digits(segmentsWaiting, 0)],
    ['recovery point, on disk', ({ onDisk }) => seconds(onDisk)],
    ['recovery point, off-site', ({ offSite }) => seconds(offSite)],
    ['memory of what receives', ({ bytes }) => (bytes === undefined ? '' : mb(bytes))],
  ];
  return [
    ['', ...ways.map(({ name }) => name)],
    ['---', ...ways.map(() => '---')],
    ...rows.map(([name, cell]) => [name, ...ways.map(cell)]),
  ].map((cells) => `| ${cells.join(' | ')} |`);
}

function mb(bytes: number): string {
  return `${(bytes / MB).toFixed(0)} MB`;
}
