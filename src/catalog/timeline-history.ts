import { parseLsn } from './lsn.ts';

/** Where a timeline left its parent. */
export interface TimelineSwitch {
  readonly parent: number;
  readonly lsn: bigint;
}

/** The ancestors of a timeline, oldest first, from the text of its `.history` file. */
export function parseHistory(text: string): TimelineSwitch[] {
  return text.split('\n').flatMap((line) => {
    const match = /^\s*(\d+)\s+([0-9A-Fa-f]+\/[0-9A-Fa-f]+)/.exec(line);
    return match ? [{ parent: Number(match[1]), lsn: parseLsn(match[2]!) }] : [];
  });
}
