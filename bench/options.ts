import { tmpdir } from 'node:os';
import { parseArgs } from 'node:util';

import { DATA_SETS } from './data/data-sets.ts';
import { RESULTS_FOLDER } from './result/documents.ts';
import type { Work } from './result/result.ts';

export interface BenchOptions {
  readonly gb: number;
  readonly rounds: number;
  readonly orientationRounds: number;
  readonly workers: number;
  readonly seed: number;
  readonly data: readonly string[];
  readonly works: readonly Work[];
  /** Ids of the tools that take part; all of them when absent. */
  readonly tools: readonly string[] | undefined;
  readonly folder: string;
  /** Where results are written; nowhere when absent. */
  readonly out: string | undefined;
  /** The rounds are added to those of an earlier run. */
  readonly add: boolean;
  readonly check: boolean;
}

export const HELP = `npm run bench -- [OPTION…]

Dump, restore and verification by us and by the tools that a user would pick instead, in one run, on a throw-away server.
Run it on an otherwise idle machine.

  --gb SIZE        about so many gigabytes of SQL in each data set (1)
  --data LIST      data sets, with commas between them: ${DATA_SETS.map(({ name }) => name).join(', ')} (all)
  --only LIST      works: dump, restore, verify (all)
  --tools LIST     tools by id, as they are in the JSON (all)
  --rounds N       how often each tool runs (5)
  --orientation-rounds N
                   how often those run that are there for orientation only: physical backups, pg_dump -Fc, COPY | gzip (2);
                   0 leaves them out
  --workers N      of each tool that has workers (2)
  --seed N         of the rows (1)
  --folder DIR     where server and dumps go (the system's folder for temporary files)
  --out DIR        where results go; with those that are there already of the same size and machine, so that a run can be made
                   in parts (docs/benchmarks, if the size is 1 GB or more)
  --add            adds the rounds to those that are there of the same commit, instead of replacing them: a long run can be made
                   in pieces of one round
  --check          writes nothing, compares the ratios with the committed results of that size, and ends with 1 if one
                   fell by more than 15 %
  --install        first installs tools that are missing, through apt-get
`;

/** From this size on results are worth keeping. */
const KEPT_GB = 1;
const WORKS = ['dump', 'restore', 'verify'] as const;

/** Throws an Error that says what is wrong. Undefined: the help is wanted. */
export function readOptions(args: readonly string[]): BenchOptions | undefined {
  const text = { type: 'string' } as const;
  const { values } = parseArgs({
    args: [...args],
    options: {
      gb: { ...text, default: '1' },
      rounds: { ...text, default: '5' },
      'orientation-rounds': { ...text, default: '2' },
      workers: { ...text, default: '2' },
      seed: { ...text, default: '1' },
      data: text,
      only: text,
      tools: text,
      folder: { ...text, default: tmpdir() },
      out: text,
      add: { type: 'boolean', default: false },
      check: { type: 'boolean', default: false },
      // Done before this program starts (scripts/setup.mjs).
      install: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  });
  if (values.help) return undefined;
  const gb = Number(values.gb);
  if (!(gb > 0 && gb <= 1000)) throw new Error(`--gb is a size in gigabytes, such as 0.1 or 4, not '${values.gb}'`);
  const rounds = count('rounds', values.rounds);
  return {
    gb,
    rounds,
    orientationRounds: Math.min(rounds, count('orientation-rounds', values['orientation-rounds'], 0)),
    workers: count('workers', values.workers),
    seed: count('seed', values.seed),
    data: chosen(
      'data',
      values.data,
      DATA_SETS.map(({ name }) => name),
    ),
    works: chosen('only', values.only, WORKS),
    tools: values.tools?.split(','),
    folder: values.folder,
    out: values.check ? undefined : (values.out ?? (gb >= KEPT_GB ? RESULTS_FOLDER : undefined)),
    add: values.add,
    check: values.check,
  };
}

export function count(option: string, text: string, least = 1): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < least || value > 1000)
    throw new Error(`--${option} is a whole number from ${least}, not '${text}'`);
  return value;
}

/** In the order of `known`, whatever the order asked for. */
export function chosen<T extends string>(option: string, text: string | undefined, known: readonly T[]): T[] {
  const wanted = text?.split(',') ?? [...known];
  const wrong = wanted.filter((name) => !(known as readonly string[]).includes(name));
  if (wrong.length > 0) throw new Error(`--${option}: there is no '${wrong.join("', '")}'; there are ${known.join(', ')}`);
  return known.filter((name) => wanted.includes(name));
}
