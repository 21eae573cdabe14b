import { join, resolve } from 'node:path';
import type { SourceConnection } from './source-connection.ts';
import type { Values } from './merge.ts';

/** The restore drill. */
export interface DrillConfig {
  /** Name of the target to drill from; absent: the first that is not on this machine. */
  readonly from?: string;
  /** The server to restore into; absent: a throw-away one. */
  readonly target?: SourceConnection;
  readonly rpoMinutes: number;
  readonly rtoMinutes: number;
  /** Absolute path of the folder of assertions. */
  readonly assertions: string;
  readonly allowed: readonly string[];
  /** How long further drills of a server's databases are begun, ms; 0: until all of them are drilled. */
  readonly budgetMs: number;
  /** ms, by phase. */
  readonly timeouts: {
    readonly fetch: number;
    readonly preflight: number;
    readonly restore: number;
    readonly equality: number;
    readonly health: number;
    readonly assertions: number;
    readonly 'negative control': number;
    readonly 'clean-up': number;
  };
}

/** What the merged values say about drills. */
export function drillConfig(values: Values, configDirectory: string, target: SourceConnection | undefined): DrillConfig {
  const from = values.text('drill.from');
  const timeout = (phase: string): number => values.number(`drill.timeouts.${phase}`) * 60_000;
  return {
    ...(from !== '' && { from }),
    ...(target && { target }),
    rpoMinutes: values.number('drill.rpoMinutes'),
    rtoMinutes: values.number('drill.rtoMinutes'),
    assertions: resolve(values.text('drill.assertions') || join(configDirectory, 'drill.d')),
    allowed: values.list('drill.allowed'),
    budgetMs: values.number('drill.budgetMinutes') * 60_000,
    timeouts: {
      fetch: timeout('fetch'),
      preflight: timeout('preflight'),
      restore: timeout('restore'),
      equality: timeout('equality'),
      health: timeout('health'),
      assertions: timeout('assertions'),
      'negative control': timeout('negativeControl'),
      'clean-up': timeout('cleanUp'),
    },
  };
}
