/** SQL expressions that look random and are the same each time: everything hangs on a row's number and the seed. */
export interface RandomSql {
  /** A bigint from 0 up, of an integer expression. */
  readonly number: (of: string) => string;
  readonly word: (of: string) => string;
  /** Words with spaces between them: text that compresses as text does, not as random digits do. */
  readonly words: (of: string, count: number) => string;
  readonly uuid: (of: string) => string;
  /** `count` times 64 bytes that no compressor makes smaller. */
  readonly bytes: (of: string, count: number) => string;
  readonly time: (of: string) => string;
}

const WORDS = `ARRAY['delivery', 'before', 'noon', 'please', 'ring', 'twice', 'leave', 'with', 'neighbour', 'fragile', 'gift', 'wrapped',
  'invoice', 'separately', 'urgent', 'returned', 'colour', 'blue', 'size', 'large', 'second', 'attempt', 'café', 'naïve']`;

export function randomSql(seed: number): RandomSql {
  const number = (of: string): string => `(hashint8extended((${of})::bigint, ${seed}) & 9223372036854775807)`;
  const word = (of: string): string => `(${WORDS})[1 + ${number(of)} % 24]`;
  return {
    number,
    word,
    words: (of, count) => Array.from({ length: count }, (_, at) => word(`(${of}) * 31 + ${at}`)).join(` || ' ' || `),
    uuid: (of) => `md5('${seed}:' || (${of}))::uuid`,
    bytes: (of, count) =>
      `(SELECT string_agg(sha512(('${seed}:' || (${of}) || ':' || b)::bytea), '') FROM generate_series(1, ${count}) b)`,
    time: (of) => `timestamptz '2023-01-01 00:00:00.123456Z' + (${of}) * interval '37.123457 seconds'`,
  };
}
