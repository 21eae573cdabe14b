// Runs one clean-up with the configuration of the environment and dies of SIGKILL at the moment named by the argument, if it comes.
// Prints the outcome as JSON when it lives.
import { writeSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { assemble } from '../../src/assemble.ts';
import { systemClock } from '../../src/clock.ts';
import { processEnvironment } from '../../src/config.ts';
import { loadConfig } from '../../src/config/choose-source.ts';
import { createLog } from '../../src/log.ts';
import { mortal } from './mortal-storage.ts';

const [when = ''] = process.argv.slice(2);
const config = loadConfig({
  env: processEnvironment(),
  configDirectory: fileURLToPath(new URL('../../config', import.meta.url)),
});
const parts = assemble(config, {
  decorate: (target) =>
    mortal(target, (name) => {
      if (name === when) process.kill(process.pid, 'SIGKILL');
    }),
});
const { summary } = await parts.weeklyCleanup().run({
  signal: new AbortController().signal,
  log: createLog('silent'),
  clock: systemClock,
});
parts.close();
writeSync(1, `${JSON.stringify(summary)}\n`);
