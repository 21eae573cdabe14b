// Compliance report of what the scripts beside this one left in FOLDER: compliance.md and compliance.json. With TREND, a file that is kept
// from run to run, it adds this run's figures to it and shows how they went.
//
//   node scripts/ci/compliance-report.mjs FOLDER [TREND]
import { appendFileSync, existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const SHOWN = 20;
const [folder, trendFile] = process.argv.slice(2);
if (folder === undefined) {
  console.error('usage: compliance-report.mjs FOLDER [TREND]');
  process.exit(2);
}

const read = (name) => (existsSync(join(folder, name)) ? JSON.parse(readFileSync(join(folder, name), 'utf8')) : undefined);
const [backup, verify, drill, evidence] = ['backup.json', 'verify.json', 'drill.json', 'evidence.json'].map(read);

const checks = [
  ['backup created', backup && backup.error === undefined],
  ['every byte verified', verify && verify.error === undefined],
  ['restore equals its source', drill && drill.status === 'success'],
  ['recovery point met (RPO)', drill && drill.rpo_compliant],
  ['recovery time met (RTO)', drill && drill.rto_compliant],
  ['evidence intact', evidence && evidence.intact],
];
const figures = {
  at: new Date().toISOString(),
  commit: process.env.GITHUB_SHA ?? '',
  backupSeconds: backup?.durationSeconds,
  backupBytes: backup?.sizes?.file,
  backupAgeMinutes: drill?.backup_age_minutes,
  restoreMinutes: drill?.restore_duration_minutes,
};
if (trendFile !== undefined) appendFileSync(trendFile, `${JSON.stringify(figures)}\n`);
const trend =
  trendFile === undefined
    ? [figures]
    : readFileSync(trendFile, 'utf8')
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line));

const word = (passed) => (passed === undefined ? 'not checked' : passed ? 'passed' : 'FAILED');
const cell = (value) => (value === undefined || value === null ? '–' : String(value));
const lines = [
  '# Compliance report',
  '',
  `${figures.at} ${figures.commit}`,
  '',
  '| check | result |',
  '| --- | --- |',
  ...checks.map(([what, passed]) => `| ${what} | ${word(passed)} |`),
  '',
  '| when | backup, s | bytes | backup age, min | restore, min |',
  '| --- | --- | --- | --- | --- |',
  ...trend
    .slice(-SHOWN)
    .map(
      (run) =>
        `| ${run.at} | ${[run.backupSeconds, run.backupBytes, run.backupAgeMinutes, run.restoreMinutes].map(cell).join(' | ')} |`,
    ),
  '',
  'Reports, drills and the ledger itself are in `evidence/`; docs/evidence.md tells how to check them.',
];
writeFileSync(join(folder, 'compliance.md'), `${lines.join('\n')}\n`);
writeFileSync(
  join(folder, 'compliance.json'),
  `${JSON.stringify({ figures, checks: Object.fromEntries(checks.map(([what, passed]) => [what, word(passed)])) }, undefined, 2)}\n`,
);
console.log(lines.join('\n'));
// What was not checked in this run is no failure of it; what failed is.
process.exitCode = checks.some(([, passed]) => passed === false) ? 1 : 0;
