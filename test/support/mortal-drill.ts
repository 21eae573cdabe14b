// Runs one drill with the configuration of the environment and dies of SIGKILL when the phase of its argument begins, or a little
// later: `restore`, `restore+200` (ms). Without an argument it lives. Prints the outcome as JSON.
import { writeSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { assemble } from '../../src/assemble.ts';
import { systemClock } from '../../src/clock.ts';
import { processEnvironment } from '../../src/config.ts';
import { loadConfig } from '../../src/config/choose-source.ts';
import { createLog } from '../../src/log.ts';

const [fatal, after = '0'] = (process.argv[2] ?? '').split('+');

const config = loadConfig({
  env: processEnvironment(),
  configDirectory: fileURLToPath(new URL('../../config', import.meta.url)),
});
const parts = assemble(config);
const watch = {
  phase(name: string) {
    if (name === fatal) setTimeout(() => process.kill(process.pid, 'SIGKILL'), Number(after));
  },
};
const context = { signal: new AbortController().signal, log: createLog('silent'), clock: systemClock };
const { summary } = await parts.restoreDrill({}, watch).run(context);
parts.close();
writeSync(1, `${JSON.stringify({ status: summary.status, swept: summary.swept, error: summary.error })}\n`);
