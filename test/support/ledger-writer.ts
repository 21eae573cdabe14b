// Appends entries to the ledger of a folder as a process of its own: FOLDER NAME COUNT. Says the number of each once it is durable.
import { systemClock } from '../../src/clock.ts';
import { createLedger } from '../../src/report/ledger.ts';

const [folder = '', name = '', count = '0'] = process.argv.slice(2);
const ledger = createLedger({ folder, root: folder, clock: systemClock });
for (let run = 1; run <= Number(count); run += 1) {
  const head = await ledger.append(() => [{ kind: 'job', job: `${name} ${run}`, state: 'done', why: 'x'.repeat(200) }]);
  process.stdout.write(`${head!.number}\n`);
}
