import type { ReadMember } from './member-reader.ts';

/** Whole blocks that may be read ahead to find one of a table that nobody loads. */
const DEPTH = 8;

/** Members in another order than the file's, chosen by who asks. */
export interface SpreadMembers {
  /**
   * The next member: the first of the next few whose table is not busy, else the first. A block of several members keeps its
   * place and its order.
   */
  next(isBusy: (table: number) => boolean): Promise<ReadMember | undefined>;
  /** The member behind the one that was handed out last and said that it continues. */
  following(): Promise<ReadMember | undefined>;
}

/** Two sessions that load one table wait for each other whenever it has to grow, so each is given a table of its own if possible. */
export function spreadMembers(members: AsyncIterator<ReadMember, void>): SpreadMembers {
  const ahead: ReadMember[] = [];
  let long: ReadMember | undefined;
  let ended = false;

  const read = async (): Promise<ReadMember | undefined> => {
    const { done, value } = await members.next();
    ended = done === true;
    return done === true ? undefined : value;
  };

  return {
    async next(isBusy) {
      const free = ({ entry }: ReadMember) => !isBusy(entry.table ?? -1);
      while (!ended && long === undefined && ahead.length < DEPTH && !ahead.some(free)) {
        const member = await read();
        if (member?.entry.continues === true) long = member;
        else if (member) ahead.push(member);
      }
      if (ahead.length > 0) return ahead.splice(Math.max(ahead.findIndex(free), 0), 1)[0];
      const first = long;
      long = undefined;
      return first;
    },
    following: read,
  };
}
