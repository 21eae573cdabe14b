import { InvalidArgumentError } from 'commander';

// What the text of an option on the command line stands for; each throws for what it does not take.

export function collect(value: string, before: readonly string[] = []): readonly string[] {
  return [...before, value];
}

export function timeFrom(text: string): Date {
  const time = new Date(text);
  if (Number.isNaN(time.getTime()))
    throw new InvalidArgumentError('It must be a time, such as 2026-01-31 or 2026-01-31T02:00:00Z.');
  return time;
}

export function timeTo(text: string): Date {
  const time = timeFrom(text);
  const isDay = /^\d{4}-\d\d-\d\d$/.test(text);
  return isDay ? new Date(time.getTime() + 24 * 60 * 60_000 - 1) : time;
}

export function wholeNumber(text: string): number {
  const value = Number(text);
  if (Number.isInteger(value) && value >= 0 && text.trim() !== '') return value;
  throw new InvalidArgumentError('It must be a whole number.');
}

export function positiveNumber(text: string): number {
  const value = Number(text);
  if (Number.isInteger(value) && value >= 1) return value;
  throw new InvalidArgumentError('It must be a whole number from 1 on.');
}

export function positiveInteger(text: string): number {
  const value = Number(text);
  if (Number.isInteger(value) && value >= 1 && value <= 64) return value;
  throw new InvalidArgumentError('It must be a whole number from 1 to 64.');
}
