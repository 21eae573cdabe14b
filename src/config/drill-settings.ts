import { cron, integer, list, text } from './formats.ts';
import type { Setting } from './setting.ts';

const minutes = integer(1, 525_600, 'minutes');

const timeout = (phase: string, variable: string, byDefault: number): Setting => ({
  key: `drill.timeouts.${phase}`,
  format: minutes,
  default: byDefault,
  env: [`DRILL_TIMEOUT_${variable}`],
  about: `How long the phase may take before the drill gives it up; what it would have checked then counts as not checked.`,
});

/** The restore drill. */
export const DRILL_SETTINGS: readonly Setting[] = [
  {
    key: 'schedule.drill',
    format: cron,
    default: '0 4 1-7 * 0',
    env: ['DRILL_SCHEDULE'],
    about:
      'When the restore drill runs, as a cron expression. All fields must match: the default is the first Sunday of a month.',
  },
  {
    key: 'drill.from',
    format: text('the name of a target, or nothing', /^[A-Za-z0-9_.-]*$/),
    default: '',
    env: ['DRILL_FROM'],
    about:
      'The target that a drill restores from. By default the first that is not on this machine: what a disaster here would leave.',
  },
  {
    key: 'drill.rpoMinutes',
    format: minutes,
    default: 60,
    env: ['DRILL_RPO_MINUTES'],
    about: 'How old the newest backup may be: how much may be lost.',
  },
  {
    key: 'drill.rtoMinutes',
    format: minutes,
    default: 30,
    env: ['DRILL_RTO_MINUTES'],
    about: 'How long a restore may take, from the first byte fetched to the first query with statistics in place.',
  },
  {
    key: 'drill.assertions',
    format: text('the path of a folder'),
    default: '',
    env: ['DRILL_ASSERTIONS'],
    about:
      'Folder of SQL files that are run against the restored database. By default `drill.d` in the folder of the configuration.',
  },
  {
    key: 'drill.allowed',
    format: list('names', ',', (part) => part !== ''),
    default: [],
    env: ['DRILL_ALLOWED'],
    about:
      'What the server of a drill may lack without the drill being inconclusive: names as the report gives them, such as `extension pg_cron`.',
  },
  {
    key: 'drill.budgetMinutes',
    format: integer(0, 525_600, 'minutes'),
    default: 0,
    env: ['DRILL_BUDGET_MINUTES'],
    about:
      'Of every database of a server: no further drill is begun after so long; who was drilled longest ago comes first. 0: all of them.',
  },
  timeout('fetch', 'FETCH', 120),
  timeout('preflight', 'PREFLIGHT', 10),
  timeout('restore', 'RESTORE', 480),
  timeout('equality', 'EQUALITY', 240),
  timeout('health', 'HEALTH', 240),
  timeout('assertions', 'ASSERTIONS', 30),
  timeout('negativeControl', 'NEGATIVE_CONTROL', 30),
  timeout('cleanUp', 'CLEAN_UP', 10),
];
