import type { DataSet } from '../data/data-set.ts';
import type { DataResult, Work, WorkResult } from '../result/result.ts';
import { limits } from '../tools/limit.ts';
import { ourDumps } from '../tools/ours.ts';
import { pgDumps } from '../tools/pg-dump.ts';
import { physicalBackups } from '../tools/physical.ts';
import { restores } from '../tools/restores.ts';
import { dumpFolder, READ_AGAIN, type Tool, type Workshop } from '../tools/tool.ts';
import { verifications } from '../tools/verifications.ts';
import { inTurn, removeFolder } from './in-turn.ts';
import { DATABASE, drop, fill } from './source.ts';

export interface DataOptions {
  readonly date: string;
  readonly command: string;
  readonly commit: string;
  readonly gb: number;
  readonly seed: number;
  readonly rounds: number;
  readonly works: readonly Work[];
  readonly tools: readonly string[] | undefined;
}

interface Watch {
  readonly signal: AbortSignal;
  readonly say: (line: string) => void;
}

/** Makes a data set, does every work on it by every tool, and removes it again. */
export async function measureData(
  set: DataSet,
  shop: Workshop,
  options: DataOptions,
  { signal, say }: Watch,
): Promise<{ data: DataResult; missing: readonly string[] }> {
  const { works, rounds, gb, seed } = options;
  const { source } = shop;
  const turns = { postmaster: source.postmaster, signal, say };
  const measured: WorkResult[] = [];
  const missing: string[] = [];
  const measure = async (work: Work, tools: readonly Tool[]): Promise<void> => {
    say(`${set.name}: ${work}`);
    const { results, missing: failed } = await inTurn(chosen(tools, options.tools), { ...turns, rounds });
    measured.push({ work, date: options.date, command: options.command, commit: options.commit, tools: results });
    missing.push(...failed);
  };
  say(`${set.name}: making about ${gb} GB of rows …`);
  try {
    const facts = await fill(source, set, gb, seed, signal);
    const dumps = [...pgDumps(shop), ...ourDumps(shop), ...(await limits(shop)), ...physicalBackups(shop)];
    if (works.includes('dump')) await measure('dump', dumps);
    const later = {
      ...(works.includes('restore') && { restore: chosen(await restores(shop), options.tools) }),
      ...(works.includes('verify') && { verify: chosen(verifications(shop), options.tools) }),
    };
    // What was measured has left its files; what was not is still needed.
    const needed = Object.values(later).flatMap((tools) => tools.map(({ reads }) => reads));
    const there = works.includes('dump') ? chosen(dumps, options.tools) : [];
    const rest = dumps.filter((tool) => needed.includes(tool.id) && !there.includes(tool));
    if (rest.length > 0) {
      say(`${set.name}: making dumps for restore and verify`);
      await inTurn(rest, { ...turns, say: () => undefined, rounds: 1 });
    }
    for (const [work, tools] of Object.entries(later)) await measure(work as Work, tools);
    for (const id of READ_AGAIN) await removeFolder(dumpFolder(shop, id));
    return { data: { name: set.name, about: set.about, ...facts, works: measured }, missing };
  } finally {
    await drop(source, DATABASE);
  }
}

function chosen(tools: readonly Tool[], ids: readonly string[] | undefined): readonly Tool[] {
  return ids === undefined ? tools : tools.filter(({ id }) => ids.includes(id));
}
