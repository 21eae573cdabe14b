import { findWork, type BenchResult, type ToolKind, type ToolResult } from './result.ts';
import { ratio, summaryOf } from './statistics.ts';

interface Bar {
  readonly label: string;
  readonly kind: ToolKind;
  readonly value: number;
  readonly from: number;
  readonly to: number;
  readonly text: string;
}

interface Chart {
  readonly title: string;
  readonly bars: readonly Bar[];
  /** Where a line is drawn, in the bars' unit. */
  readonly mark?: number;
}

const WIDTH = 860;
const LABEL = 300;
const VALUE = 150;
const MARGIN = 24;
const BAR = 16;
const STEP = 24;
const TITLE = 44;
const HEAD = 64;

// The card has its own ground, so that it can be read on whatever page it stands; the dark one follows the reader's system.
const STYLE = `
  .card{fill:#fff;stroke:#d0d7de}.t{fill:#1f2328}.m{fill:#59636e}.ours{fill:#0a7d5a}.peer{fill:#8c959f}.limit{fill:#bf8700}
  .physical{fill:#c4ccd4}.w{stroke:#1f2328;stroke-width:1.5}.mark{stroke:#1f2328;stroke-dasharray:4 3}
  text{font:13px system-ui,-apple-system,'Segoe UI',Helvetica,Arial,sans-serif}.h{font-size:17px;font-weight:600}.b{font-weight:600}
  @media(prefers-color-scheme:dark){.card{fill:#0d1117;stroke:#3d444d}.t{fill:#f0f6fc}.m{fill:#9198a1}.ours{fill:#2ea97d}
  .peer{fill:#6e7681}.limit{fill:#d29922}.physical{fill:#484f58}.w,.mark{stroke:#f0f6fc}}`;

/** Dump time and restore time by tool and our distance to the limit, on the mixed data, as a picture of its own. */
export function picture(result: BenchResult): string {
  const charts = [workChart(result, 'dump'), workChart(result, 'restore'), limitChart(result)].filter(
    ({ bars }) => bars.length > 0,
  );
  const height = HEAD + charts.reduce((sum, { bars }) => sum + TITLE + bars.length * STEP, 0) + MARGIN;
  const { machine, options, versions } = result;
  const subtitle = `${machine.cores} cores, ${options.workers} workers, PostgreSQL ${versions['PostgreSQL']?.split(' ')[0] ?? ''}; medians, whiskers from lowest to highest; amber: limit, pale: physical`;
  let y = HEAD;
  const body = charts.map((chart) => {
    const part = drawChart(chart, y);
    y += TITLE + chart.bars.length * STEP;
    return part;
  });
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" width="${WIDTH}" height="${height}" role="img">`,
    `<title>Dump and restore of ${options.gb} GB by tool</title>`,
    `<style>${STYLE}\n</style>`,
    `<rect class="card" x=".5" y=".5" width="${WIDTH - 1}" height="${height - 1}" rx="8"/>`,
    text(MARGIN, 32, 't h', `${options.gb} GB of mixed rows`),
    text(MARGIN, 54, 'm', subtitle),
    ...body,
    '</svg>',
    '',
  ].join('\n');
}

function workChart(result: BenchResult, work: 'dump' | 'restore'): Chart {
  const tools = (findWork(result, 'mixed', work)?.tools ?? []).filter(({ id }) => !id.endsWith('-without-digest'));
  return {
    title: `${work === 'dump' ? 'Dump' : 'Restore'}, seconds`,
    bars: tools.map((tool) => timeBar(tool, work)).sort(byValue),
  };
}

function timeBar(tool: ToolResult, work: 'dump' | 'restore'): Bar {
  const { median, min, max } = summaryOf(tool, 'seconds');
  const bytes = summaryOf(tool, 'bytes').median;
  const size = work === 'dump' && bytes > 0 ? `, ${(bytes / 1e6).toFixed(0)} MB` : '';
  return { label: tool.name, kind: tool.kind, value: median, from: min, to: max, text: `${median.toFixed(1)} s${size}` };
}

/** Each of our codecs over the same COPYs piped into a C compressor at the same level. */
function limitChart(result: BenchResult): Chart {
  const tools = findWork(result, 'mixed', 'dump')?.tools ?? [];
  const find = (id: string): ToolResult | undefined => tools.find((tool) => tool.id === id);
  const pairs = [
    ['ours-zstd-1', 'limit-zstd'],
    ['ours-gzip-6', 'limit-pigz'],
    ['ours-gzip-6', 'limit-gzip'],
  ] as const;
  const bars = pairs.flatMap(([oursId, limitId]): Bar[] => {
    const [ours, limit] = [find(oursId), find(limitId)];
    const value = ratio(ours, limit, 'seconds');
    if (!ours || !limit || value === undefined) return [];
    const base = summaryOf(limit, 'seconds').median;
    const { min, max } = summaryOf(ours, 'seconds');
    const label = `${ours.name} / ${limit.name.replace('COPY | ', '')}`;
    return [{ label, kind: 'ours', value, from: min / base, to: max / base, text: `${value.toFixed(2)}×` }];
  });
  return { title: 'Our time over the limit: the same COPYs, as many at once, piped into a C compressor each', bars, mark: 1 };
}

function byValue(a: Bar, b: Bar): number {
  return a.value - b.value;
}

function drawChart({ title, bars, mark }: Chart, top: number): string {
  const widest = Math.max(...bars.map(({ to }) => to), mark ?? 0);
  const scale = (value: number): number => Math.round((value / widest) * (WIDTH - LABEL - VALUE - MARGIN) * 10) / 10;
  const lines = [text(MARGIN, top + 28, 't b', title)];
  bars.forEach((bar, at) => {
    const y = top + TITLE - 4 + at * STEP;
    const middle = y + BAR / 2;
    lines.push(
      text(LABEL - 10, y + 12, bar.kind === 'ours' ? 't b' : 't', bar.label, 'end'),
      `<rect class="${bar.kind}" x="${LABEL}" y="${y}" width="${Math.max(1, scale(bar.value))}" height="${BAR}" rx="2"/>`,
      `<line class="w" x1="${LABEL + scale(bar.from)}" x2="${LABEL + scale(bar.to)}" y1="${middle}" y2="${middle}"/>`,
      text(LABEL + scale(bar.to) + 8, y + 12, bar.kind === 'ours' ? 't b' : 'm', bar.text),
    );
  });
  if (mark !== undefined) {
    const x = LABEL + scale(mark);
    lines.push(`<line class="mark" x1="${x}" x2="${x}" y1="${top + TITLE - 8}" y2="${top + TITLE + bars.length * STEP - 8}"/>`);
  }
  return lines.join('\n');
}

function text(x: number, y: number, classes: string, content: string, anchor = 'start'): string {
  const escaped = content.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
  return `<text class="${classes}" x="${x}" y="${y}"${anchor === 'start' ? '' : ` text-anchor="${anchor}"`}>${escaped}</text>`;
}
