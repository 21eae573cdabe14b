/** The end of one transaction, as its record in the WAL says it. */
export interface TransactionEnd {
  /** 32 bits. */
  readonly xid: number;
  readonly lsn: string;
  readonly committed: boolean;
  /** Microseconds since 1970, by the source's clock. */
  readonly time: bigint;
  /** The same, as `pg_waldump` writes it. */
  readonly text: string;
}

const LINE =
  /tx: +(\d+), lsn: ([0-9A-F]+\/[0-9A-F]+), .* desc: (COMMIT|ABORT)(?:_PREPARED)? (?:(\d+): )?(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(?:\.\d+)?) UTC/;

/** Ends of transactions in what `pg_waldump -r Transaction` writes with `TZ=UTC`, handed over as they come. */
export function readTransactionEnds(take: (ends: TransactionEnd[]) => Promise<void>): {
  readonly write: (chunk: Buffer) => Promise<void>;
  readonly end: () => Promise<void>;
} {
  let rest = '';
  return {
    async write(chunk) {
      const lines = (rest + chunk.toString('latin1')).split('\n');
      rest = lines.pop()!;
      await take(lines.flatMap(parse));
    },
    async end() {
      await take([rest].flatMap(parse));
    },
  };
}

function parse(line: string): TransactionEnd[] {
  const match = LINE.exec(line);
  if (!match) return [];
  // The second phase of a prepared transaction is not written under its own number.
  const [, tx, lsn, kind, prepared, text] = match as unknown as [string, string, string, string, string | undefined, string];
  return [
    { xid: Number(prepared ?? tx), lsn, committed: kind === 'COMMIT', time: microseconds(`${text.replace(' ', 'T')}Z`), text },
  ];
}

/** ISO 8601, to the microsecond, which a Date does not hold. */
export function microseconds(time: string): bigint {
  const fraction = /\.(\d+)/.exec(time)?.[1] ?? '';
  const whole = Date.parse(time.replace(/\.\d+/, ''));
  return BigInt(whole) * 1000n + BigInt(fraction.slice(0, 6).padEnd(6, '0'));
}
