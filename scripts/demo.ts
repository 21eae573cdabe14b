// `npm run demo`: a real PostgreSQL, a real backup of it to two places, verified, restored and proven in a drill; a copy damaged on
// purpose; then everything is stopped again.
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { createProgram } from '../src/cli/program.ts';
import { errorBlock } from '../src/cli/error-block.ts';
import { bytesText, countText, secondsText } from '../src/quantities.ts';
import { tableLines } from '../src/cli/table.ts';
import { systemClock } from '../src/clock.ts';
import { processEnvironment } from '../src/config.ts';
import { BackupError, toBackupError } from '../src/errors.ts';
import { startThrowAwayServer } from '../src/postgres/throw-away-server.ts';
import { generateKey } from '../src/report/evidence-key.ts';
import { turnOneBit } from './demo/turn-one-bit.ts';
import { countRows, databaseSize, makeSample, SAMPLE_TABLES } from './demo/sample.ts';
import { startOffSite } from './demo/off-site.ts';
import { findServerPrograms } from './demo/server-programs.ts';

const RESTORED = 'shop_restored';
/** Exit status of a drill that the backup did not pass. */
const DRILL_FAILED = 1;

const interrupt = new AbortController();
for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
  process.on(name, () => {
    if (interrupt.signal.aborted) process.exit(130);
    console.error(`\n${name}: stopping everything. Once more to end at once.`);
    interrupt.abort(new BackupError('ABORTED', `the demo was stopped by ${name}`));
  });
}

try {
  await demo(interrupt.signal);
} catch (thrown) {
  const error = toBackupError(interrupt.signal.aborted ? interrupt.signal.reason : thrown);
  console.error(errorBlock(error, { verbose: error.code === 'INTERNAL' }));
  process.exitCode = error.exitStatus;
}

async function demo(signal: AbortSignal): Promise<void> {
  const began = systemClock.monotonic();
  const env = processEnvironment();
  const folder = await mkdtemp(join(tmpdir(), 'db-backup-demo-'));
  const backups = join(folder, 'backups');
  await mkdir(backups);
  // Without an end there is nothing to look at.
  let finished = false;
  const cleanups: (() => Promise<void>)[] = [
    async () => {
      if (!finished) await rm(folder, { recursive: true });
    },
  ];
  try {
    title('A PostgreSQL server and a shop with customers, orders and events');
    const programs = await findServerPrograms(env['PATH'] ?? '');
    const server = await startThrowAwayServer({ binDirectory: programs.directory, signal });
    cleanups.push(() => server.stop());
    const shop = await makeSample(server.connection, signal);
    console.log(`PostgreSQL ${programs.version}, database shop, ${bytesText(await databaseSize(shop))}`);

    title('A second place, away from the first');
    const offSite = await startOffSite(folder, (line) => console.log(line));
    cleanups.push(() => offSite.stop());
    console.log(`It is ${offSite.says}.`);

    // As `backup-manager evidence keygen` does. The public key goes to whoever is to verify.
    const { privatePem, publicKey } = generateKey();
    const [keyFile, publicKeyFile] = [join(folder, 'evidence.pem'), join(folder, 'evidence.pub')];
    await writeFile(keyFile, privatePem, { mode: 0o600 });
    await writeFile(publicKeyFile, publicKey.pem);

    const run = async (args: readonly string[], expected = 0) => {
      signal.throwIfAborted();
      title(`$ backup-manager ${args.join(' ')}`);
      let status = 0;
      const program = createProgram(
        {
          terminal: { stdout: process.stdout, stderr: process.stderr },
          env: {
            HOME: env['HOME'],
            PATH: env['PATH'],
            POSTGRES_HOST: shop.host,
            POSTGRES_PORT: String(shop.port),
            POSTGRES_USER: shop.user,
            POSTGRES_DB: shop.database,
            BACKUP_DIR: backups,
            EVIDENCE_KEY_FILE: keyFile,
            ...offSite.env,
          },
          configDirectory: fileURLToPath(new URL('../config', import.meta.url)),
          signal,
          ...(offSite.moreTargets && { moreTargets: offSite.moreTargets }),
        },
        'demo',
        (ended) => (status = ended),
      );
      await program.parseAsync(args, { from: 'user' });
      signal.throwIfAborted();
      if (status !== expected) throw new BackupError('INTERNAL', `backup-manager ${args[0] ?? ''} ended with status ${status}`);
    };
    await run(['create-backup']);
    await run(['list-backups']);
    await run(['verify']);
    await run(['restore', 'latest', RESTORED]);

    title('The same rows?');
    const before = await countRows(shop);
    const after = await countRows({ ...shop, database: RESTORED });
    const rows = SAMPLE_TABLES.map((table, at) => [table, countText(before[at]!), countText(after[at]!)]);
    console.log(tableLines(['TABLE', 'shop', RESTORED], rows, [1, 2]).join('\n'));
    if (before.some((count, at) => count !== after[at])) throw new BackupError('RESTORE_FAILED', 'the row counts differ');

    // As on the first Sunday of a month: fetched from the other place, restored into a server of its own, compared with the source.
    await run(['monthly-drill']);
    // What an auditor does: with the public key alone, and against what the other place was told at the time.
    await run(['evidence', 'verify', '--public-key', publicKeyFile, '--against-targets']);

    title('One bit of the copy in the backup directory is turned round: will a drill notice?');
    await turnOneBit(backups);
    await run(['monthly-drill', '--from', 'local'], DRILL_FAILED);
    await turnOneBit(backups);
    console.log('It did. The bit is back in its place.');
    finished = true;
  } finally {
    for (const cleanup of cleanups.reverse()) await cleanup();
  }
  title(`Done in ${secondsText((systemClock.monotonic() - began) / 1000)}; both servers are stopped`);
  console.log(whatNext(backups, folder));
}

function title(text: string): void {
  console.log(`\n${process.stdout.isTTY ? `\x1b[1m${text}\x1b[0m` : `== ${text}`}`);
}

function whatNext(backups: string, folder: string): string {
  return `The files are in ${backups}: full/ has the backup, logs/ the report, restore-tests/ those of the drills. They need
nothing of ours:

  gunzip -c ${backups}/full/*.sql.gz | less         # the backup is plain SQL: gunzip -c FILE | psql NEWDB restores it
  pg_restore -l ${backups}/full/*.toc | less        # what is in it
  less ${backups}/full/*.meta                       # the manifest: tables, rows, digests, checksums
  less ${backups}/logs/*.json                       # the report of the run
  less ${backups}/logs/ledger.jsonl                 # the evidence: one signed line for each run (docs/evidence.md)
  xdg-open ${backups}/restore-tests/*.html          # what the drills proved, as pages

Now with a database of yours:

  mkdir backups
  export POSTGRES_HOST=… POSTGRES_DB=… POSTGRES_USER=… POSTGRES_PASSWORD=… BACKUP_DIR=$PWD/backups
  npm run -s backup-manager -- create-backup
  npm run -s backup-manager -- --help

rm -r ${folder} removes what this demo has left.`;
}
