import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';

import { bytesUnder, removeFolder } from '../run/in-turn.ts';
import type { Command } from '../run/measure.ts';
import type { Program } from '../run/program.ts';
import type { Source } from '../run/source.ts';
import type { ToolKind } from '../result/result.ts';

/** One way of doing a work. Only `command` is measured. */
export interface Tool {
  readonly id: string;
  readonly name: string;
  readonly kind: ToolKind;
  readonly command: Command;
  /** The id of the dump that it reads. */
  readonly reads?: string;
  /** Rounds that it takes part in, when not in all. */
  readonly rounds?: number;
  before(): Promise<void>;
  /** What it has written. */
  bytes(): Promise<number>;
  /** Also called when it failed. */
  after(): Promise<void>;
}

/** What tools are made from. */
export interface Workshop {
  readonly source: Source;
  readonly program: Program;
  readonly workers: number;
  /** Files of the tools go here, a folder for each. */
  readonly folder: string;
  /** Rounds of what takes part for orientation. */
  readonly orientationRounds: number;
  /** Full path of a program that is not PostgreSQL's, or undefined when it is not installed. */
  readonly find: (program: string) => string | undefined;
}

/** Of gzip, where both sides are to do the same; also the default of `gzip` and `pg_dump`. */
export const GZIP_LEVEL = 6;
/** Of zstd, where both sides are to do the same: the fastest. */
export const ZSTD_LEVEL = 1;

/** A restore or a verification, before it is told what comes before and after. */
export type Reader = Pick<Tool, 'id' | 'name' | 'kind' | 'command'> & { readonly reads: string };

/** Dumps that restores and verifications read afterwards: their files stay. */
export const READ_AGAIN: readonly string[] = ['pg-dump-gzip', 'pg-dump-zstd', 'pg-dump-directory', 'ours', 'ours-zstd'];

/** Where the dump of a tool goes. */
export function dumpFolder({ folder }: Workshop, id: string): string {
  return join(folder, id);
}

/** A tool that writes files into a new folder of its own each time. */
export function dumpTool(
  shop: Workshop,
  { id, name, kind, command, rounds }: Pick<Tool, 'id' | 'name' | 'kind' | 'command' | 'rounds'>,
  prepare: () => Promise<void> = async () => undefined,
): Tool {
  const output = dumpFolder(shop, id);
  return {
    ...{ id, name, kind, command },
    ...(rounds !== undefined && { rounds }),
    async before() {
      await removeFolder(output);
      await mkdir(output, { recursive: true });
      await prepare();
    },
    bytes: async () => await bytesUnder(output),
    async after() {
      if (!READ_AGAIN.includes(id)) await removeFolder(output);
    },
  };
}
