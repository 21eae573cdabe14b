import { html } from './html-text.ts';

export interface ChartPoint {
  /** Shown when the pointer rests on it. */
  readonly label: string;
  /** Absent when nothing was measured: a gap in the line. */
  readonly value: number | null;
}

export interface ChartOptions {
  readonly title: string;
  readonly points: readonly ChartPoint[];
  /** Drawn as a line across; what is above it is missed. */
  readonly limit: number;
  readonly unit: string;
}

const SIZE = { width: 440, height: 150, left: 44, right: 12, top: 14, bottom: 22 } as const;

/** A small line chart as SVG, with the limit as a dashed line. Scales to what it shows. */
export function lineChart({ title, points, limit, unit }: ChartOptions): string {
  const values = points.flatMap(({ value }) => (value === null ? [] : [value]));
  const most = niceCeiling(Math.max(limit, ...values) * 1.05);
  const x = (at: number) =>
    SIZE.left + (points.length < 2 ? 0.5 : at / (points.length - 1)) * (SIZE.width - SIZE.left - SIZE.right);
  const y = (value: number) => SIZE.height - SIZE.bottom - (value / most) * (SIZE.height - SIZE.top - SIZE.bottom);
  const marks = points.flatMap(({ label, value }, at) => {
    if (value === null) return [];
    const kind = value > limit ? 'over' : 'under';
    return [
      `<circle class="${kind}" cx="${round(x(at))}" cy="${round(y(value))}" r="3.5"><title>${html(`${label}: ${short(value)} ${unit}`)}</title></circle>`,
    ];
  });
  const lines = runsOf(points).map(
    (run) => `<polyline points="${run.map((at) => `${round(x(at))},${round(y(points[at]!.value!))}`).join(' ')}"/>`,
  );
  const grid = [0, most / 2, most].map(
    (value) =>
      `<line class="grid" x1="${SIZE.left}" x2="${SIZE.width - SIZE.right}" y1="${round(y(value))}" y2="${round(y(value))}"/>` +
      `<text x="${SIZE.left - 6}" y="${round(y(value) + 4)}" text-anchor="end">${html(short(value))}</text>`,
  );
  const ends = points.length < 2 ? [[0, 'middle'] as const] : [[0, 'start'] as const, [points.length - 1, 'end'] as const];
  const dates = ends.map(
    ([at, anchor]) =>
      `<text x="${round(x(at))}" y="${SIZE.height - 6}" text-anchor="${anchor}">${html(points[at]?.label.slice(0, 10) ?? '')}</text>`,
  );
  return `<svg viewBox="0 0 ${SIZE.width} ${SIZE.height}" role="img" aria-label="${html(title)}">
${grid.join('')}
<line class="limit" x1="${SIZE.left}" x2="${SIZE.width - SIZE.right}" y1="${round(y(limit))}" y2="${round(y(limit))}"><title>${html(`target: ${short(limit)} ${unit}`)}</title></line>
${lines.join('')}${marks.join('')}${dates.join('')}
</svg>`;
}

/** Indices of points that follow one another without a gap. */
function runsOf(points: readonly ChartPoint[]): number[][] {
  const runs: number[][] = [[]];
  for (const [at, { value }] of points.entries()) {
    if (value === null) runs.push([]);
    else runs.at(-1)!.push(at);
  }
  return runs.filter(({ length }) => length > 1);
}

/** The next of 1, 2, 5, 10, 20, 50, …: what a scale ends at. */
function niceCeiling(value: number): number {
  const power = 10 ** Math.floor(Math.log10(Math.max(value, 0.001)));
  return [1, 2, 5, 10].map((step) => step * power).find((step) => step >= value) ?? 10 * power;
}

function short(value: number): string {
  return String(value >= 10 ? Math.round(value) : Math.round(value * 100) / 100);
}

function round(value: number): number {
  return Math.round(value * 10) / 10;
}
