import type { Values } from './merge.ts';

interface Rules {
  readonly days: number;
  readonly daily: number;
  readonly weekly: number;
  readonly monthly: number;
  readonly yearly: number;
  readonly minimum: number;
}

/** What is kept, and how much of it is re-read. */
export interface RetentionConfig {
  /** On every target but those that have their own. */
  readonly rules: Rules;
  readonly s3: Rules;
  readonly freshnessMinutes: number | 'auto';
  readonly reportYears: number;
  readonly hourlyReportDays: number;
  /** Bytes to re-read on each target in one run. */
  readonly scrubBytes: number;
}

/** What the merged values say about retention. */
export function retentionConfig(values: Values): RetentionConfig {
  const rule = (name: keyof Rules): number => values.number(`retention.${name}`);
  const inBucket = (name: keyof Rules): number =>
    values.value(`retention.s3.${name}`) === 'auto' ? rule(name) : values.number(`retention.s3.${name}`);
  const rules = (of: (name: keyof Rules) => number): Rules => ({
    days: of('days'),
    daily: of('daily'),
    weekly: of('weekly'),
    monthly: of('monthly'),
    yearly: of('yearly'),
    minimum: of('minimum'),
  });
  return {
    rules: rules(rule),
    s3: rules(inBucket),
    freshnessMinutes:
      values.value('retention.freshnessMinutes') === 'auto' ? 'auto' : values.number('retention.freshnessMinutes'),
    reportYears: values.number('retention.reportYears'),
    hourlyReportDays: values.number('retention.hourlyReportDays'),
    scrubBytes: values.number('scrub.mebibytes') * 1024 * 1024,
  };
}
