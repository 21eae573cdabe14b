// Runs one backup with the configuration of the environment and, if told so, dies of SIGKILL at one of its moments.
// Argument: the number of the moment, counted from 1; `name:TEXT` for the first one whose name contains TEXT; or nothing.
// Prints one line for each moment, then the outcome as JSON.
import { writeSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { assemble } from '../../src/assemble.ts';
import { systemClock } from '../../src/clock.ts';
import { processEnvironment } from '../../src/config.ts';
import { loadConfig } from '../../src/config/choose-source.ts';
import { createLog } from '../../src/log.ts';
import { mortal } from './mortal-storage.ts';

const [when = ''] = process.argv.slice(2);
let moments = 0;

function moment(name: string): void {
  moments += 1;
  writeSync(1, `${name}\n`);
  const now = when.startsWith('name:') ? name.includes(when.slice('name:'.length)) : moments === Number(when);
  if (now) process.kill(process.pid, 'SIGKILL');
}

const config = loadConfig({
  env: processEnvironment(),
  configDirectory: fileURLToPath(new URL('../../config', import.meta.url)),
});
const parts = assemble(config, { decorate: (target) => mortal(target, moment) });
const job = parts.nightlyBackup({ phase: (name) => moment(`phase ${name}`), progress: () => moment('rows copied') });
const { summary } = await job.run({
  signal: new AbortController().signal,
  log: createLog('silent'),
  clock: systemClock,
});
parts.close();
writeSync(1, `${JSON.stringify(summary)}\n`);
