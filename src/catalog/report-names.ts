import { decodeSource, encodeSource } from './names.ts';

/** `backup_report_20260101_020000.json`, `monthly_drill_shop_20260104_040000_2.html`. */
const NAME =
  /^([a-z]+_report|monthly_drill|pitr_drill)(?:_([A-Za-z0-9.%-]+))?_(\d{4})(\d{2})(\d{2})_(\d{2})(\d{2})(\d{2})(?:_(\d+))?\.(json|html)$/;

export interface ReportName {
  /** `backup_report`, `monthly_drill`, … */
  readonly kind: string;
  /** Name of the source; absent where there is only one, and in reports of all. */
  readonly source?: string;
  /** When its run began, ms since 1970. */
  readonly time: number;
}

/** The name of a report without extension: `<kind>_<YYYYMMDD>_<HHMMSS>` (UTC), with the source before the time when it has one. */
export function reportStem(kind: string, source: string | undefined, started: Date): string {
  const stamp = started.toISOString().replace(/[-:]/g, '').slice(0, 15).replace('T', '_');
  return `${reportPrefix(kind, source)}${stamp}`;
}

/** What the names of all reports of a kind and a source begin with. */
export function reportPrefix(kind: string, source: string | undefined): string {
  return source === undefined ? `${kind}_` : `${kind}_${encodeSource(source)}_`;
}

/** What the name of a file says; `undefined` for what is no report: ledger, locks, the files of others. */
export function parseReportName(name: string): ReportName | undefined {
  const match = NAME.exec(name);
  if (!match) return undefined;
  const [, kind, encoded, year, month, day, hour, minute, second] = match as unknown as string[];
  const time = Date.parse(`${year!}-${month!}-${day!}T${hour!}:${minute!}:${second!}Z`);
  const source = encoded === undefined ? undefined : decodeSource(encoded);
  if (Number.isNaN(time) || (encoded !== undefined && source === undefined)) return undefined;
  return { kind: kind!, ...(source !== undefined && { source }), time };
}

/** Orders names of reports by time, the newest first; of one second the last that was written first. */
export function newestReportFirst(a: string, b: string): number {
  const [one, other] = [order(a), order(b)];
  return other[0] - one[0] || other[1] - one[1];
}

function order(name: string): [time: number, number: number] {
  return [parseReportName(name)?.time ?? 0, Number(NAME.exec(name)?.[9] ?? 1)];
}
