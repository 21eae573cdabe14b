import { pino, type Logger } from 'pino';

export type Log = Logger;

/** JSON lines on stdout, one per phase. */
export function createLog(level: string): Log {
  return pino({ level, base: null, timestamp: pino.stdTimeFunctions.isoTime });
}
