import { parseReportName } from '../catalog/report-names.ts';

const DAY_MS = 24 * 60 * 60_000;
const YEAR_MS = 365.25 * DAY_MS;
/** The report that is written every hour. */
const HOURLY = 'health_report';

export interface ReportRules {
  /** Every report is kept for so many years. */
  readonly years: number;
  /** Of hourly reports older than so many days only the last of each day stays, and those that tell of trouble. */
  readonly hourlyDays: number;
}

export interface ReportToRemove {
  readonly name: string;
  readonly rule: 'years' | 'hourly';
  readonly says: string;
}

/**
 * Which of the reports in one folder are due to go: by age, and hourly ones thinned out. Hourly ones that tell of trouble must be taken
 * from the result by the caller, who can read them.
 */
export function planReports(names: readonly string[], rules: ReportRules, now: number): ReportToRemove[] {
  const reports = names.flatMap((name) => {
    const parsed = parseReportName(name);
    return parsed ? [{ name, ...parsed }] : [];
  });
  const lastOfDay = new Map<number, { readonly name: string; readonly time: number }>();
  for (const report of reports.filter(({ kind }) => kind === HOURLY)) {
    const day = Math.floor(report.time / DAY_MS);
    const other = lastOfDay.get(day);
    if (!other || report.time > other.time || (report.time === other.time && report.name > other.name))
      lastOfDay.set(day, report);
  }
  return reports.flatMap(({ name, kind, time }): ReportToRemove[] => {
    if (time < now - rules.years * YEAR_MS) return [{ name, rule: 'years', says: `it is older than ${rules.years} years` }];
    if (kind !== HOURLY || time >= now - rules.hourlyDays * DAY_MS) return [];
    if (lastOfDay.get(Math.floor(time / DAY_MS))?.name === name) return [];
    return [{ name, rule: 'hourly', says: `it is older than ${rules.hourlyDays} days, and a later one of its day stays` }];
  });
}
