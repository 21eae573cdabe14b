import { loadConfigs, type LoadConfigOptions } from '../config.ts';
import { describeConfig, type ShownSetting } from '../config/describe.ts';
import { toBackupError } from '../errors.ts';
import { errorReport } from '../report/backup-report.ts';
import { errorBlock } from './error-block.ts';
import { tableLines } from './table.ts';
import { printJson, printLines, type Terminal } from './terminal.ts';

/** Whether the daemon would start with this configuration. Asks no server and no target: that is for `health`. */
export function configCheck(options: LoadConfigOptions, terminal: Terminal, json: boolean): number {
  try {
    const { shared, sources } = loadConfigs(options);
    const names = sources.map(({ source }) => source.name);
    if (json) printJson(terminal.stdout, { valid: true, environment: shared.environment, sources: names });
    else printLines(terminal.stdout, [`The configuration is whole (${shared.environment}). Sources: ${names.join(', ')}.`]);
    return 0;
  } catch (thrown) {
    const error = toBackupError(thrown);
    if (json) printJson(terminal.stdout, { valid: false, error: errorReport(error) });
    printLines(terminal.stderr, errorBlock(error).split('\n'));
    return error.exitStatus;
  }
}

/** Every setting as it holds, and where it comes from; of `--changed` only those that are not as they come. Secrets are masked. */
export function configShow(options: LoadConfigOptions, terminal: Terminal, json: boolean, changed: boolean): number {
  const { environment, folder, settings, sources } = describeConfig(options);
  // What the file of defaults says is a default, too.
  const wanted = (all: readonly ShownSetting[]) =>
    changed ? all.filter(({ origin }) => origin !== 'default' && !origin.endsWith('/default.json')) : all;
  if (json) {
    printJson(terminal.stdout, { environment, folder, settings: wanted(settings), sources });
    return 0;
  }
  printLines(terminal.stdout, [
    `Environment ${environment}, files in ${folder}`,
    '',
    ...tableLines(['SETTING', 'VALUE', 'FROM'], wanted(settings).map(row)),
    ...sources.flatMap((source) => [
      '',
      `Source ${source.name}:`,
      ...tableLines(['SETTING', 'VALUE', 'FROM'], source.settings.map(row)),
    ]),
  ]);
  return 0;
}

function row({ key, value, origin }: ShownSetting): string[] {
  const text = value === null ? 'not set' : typeof value === 'string' ? value : JSON.stringify(value);
  return [key, text === '' ? '""' : text, origin];
}
