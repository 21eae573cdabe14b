import { pino, type Logger } from 'pino';

export type Log = Logger;

export interface LogOptions {
  /** Replaces secrets in a text; every text of every line goes through it. */
  readonly redact?: (text: string) => string;
  /** Takes finished lines; standard output by default. */
  readonly destination?: { write(line: string): unknown };
}

/** Names of properties that are never shown, wherever an object with one is logged. */
const SECRET_NAMES = ['password', 'PGPASSWORD', 'secretAccessKey', 'sessionToken'];
/** How deep pino looks for them. */
const DEPTHS = ['', '*.', '*.*.', '*.*.*.'];

/** JSON lines on stdout, one per phase. No secret gets into one: neither by the name of a property nor by its value. */
export function createLog(level: string, { redact = (text) => text, destination = process.stdout }: LogOptions = {}): Log {
  const paths = DEPTHS.flatMap((depth) => SECRET_NAMES.map((name) => depth + name));
  return pino(
    {
      level,
      base: null,
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
      redact: { paths, censor: '***' },
    },
    { write: (line: string) => void destination.write(clean(line, redact)) },
  );
}

/** Only texts are replaced, not the names and numbers around them, so that the line stays JSON. */
function clean(line: string, redact: (text: string) => string): string {
  const quoted = (text: string): string => JSON.stringify(text).slice(1, -1);
  return line.replace(/"((?:[^"\\]|\\.)*)"(:?)/g, (whole, text: string, colon: string) => {
    if (colon !== '') return whole;
    const plain = text.includes('\\') ? (JSON.parse(whole) as string) : text;
    const cleaned = redact(plain);
    return cleaned === plain ? whole : `"${quoted(cleaned)}"`;
  });
}

/** A log that writes where `log` does, and keeps its last lines (those of its children too) for {@link tail}. */
export function withTail(log: Log, lines: number): { log: Log; tail: () => string } {
  const kept: string[] = [];
  const child = log.child({});
  const { streamSym } = pino.symbols;
  const inner = (child as unknown as Record<symbol, { write(line: string): unknown }>)[streamSym]!;
  const write = (line: string): void => {
    kept.push(line);
    if (kept.length > lines) kept.shift();
    inner.write(line);
  };
  Object.defineProperty(child, streamSym, { value: { write } });
  return { log: child, tail: () => kept.join('') };
}
