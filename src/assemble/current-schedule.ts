import type { ScheduleEntry } from '../scheduler.ts';
import type { JobsOfSource } from './schedule.ts';

/** What is scheduled of the jobs of all sources: those of physical backups while the WAL of their source is streamed. */
export class CurrentSchedule {
  readonly #jobs: readonly JobsOfSource[];
  readonly #streamed = new Set<string>();

  constructor(jobs: readonly JobsOfSource[]) {
    this.#jobs = jobs;
  }

  /** Everything that may be scheduled at some time. */
  get all(): ScheduleEntry[] {
    return this.#jobs.flatMap(({ always, physical }) => [...always, ...physical]);
  }

  get entries(): ScheduleEntry[] {
    return this.#jobs.flatMap(({ source, always, physical }) => [...always, ...(this.#streamed.has(source) ? physical : [])]);
  }

  /** Says whether the WAL of a source is streamed; returns whether that is new. */
  turn(source: string, on: boolean): boolean {
    if (on === this.#streamed.has(source)) return false;
    if (on) this.#streamed.add(source);
    else this.#streamed.delete(source);
    return true;
  }
}
