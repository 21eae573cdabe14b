import { findTool, type BenchResult, type Work } from './result.ts';
import { ratio } from './statistics.ts';

export interface Headline {
  readonly work: Work;
  /** The other tool, as Markdown. */
  readonly than: string;
  /** How many times as fast we are. */
  readonly times: number;
}

/** The four ratios that README shows: our default beside what people run today. Those that were not measured are left out. */
export function headlines(result: BenchResult): Headline[] {
  const jobs = `-j${String(result.options.workers)}`;
  const pairs: [Work, string, string][] = [
    ['dump', 'pg-dump-gzip', '`pg_dump | gzip`'],
    ['dump', 'pg-dump-directory', `\`pg_dump -Fd ${jobs}\``],
    ['restore', 'psql', '`gunzip | psql`'],
    ['restore', 'pg-restore', `\`pg_restore ${jobs}\``],
  ];
  return pairs.flatMap(([work, id, name]) => {
    const found = ratio(findTool(result, 'mixed', work, id), findTool(result, 'mixed', work, 'ours'), 'seconds');
    return found === undefined ? [] : [{ work, than: name, times: found }];
  });
}
