import { lineChart } from './drill-chart.ts';
import type { DrillPhase, DrillReport } from './drill-report.ts';
import { card, page, TONES, WORDS } from './drill-page-parts.ts';
import { html } from './html-text.ts';

const HEADLINES: Record<DrillReport['status'], string> = {
  success: 'The backup restores, and equals its source',
  failure: 'The backup did not pass the drill',
  inconclusive: 'Nothing is proven: something could not be checked',
};

/**
 * The report of a drill as one page for a person: nothing is fetched, nothing is run, and every text is shown as it is, whatever a
 * table is called. `json` is the name of the report's other file.
 */
export function drillPage(report: DrillReport, json: string): string {
  return page(
    `Restore drill of ${report.source}, ${report.drill_timestamp.slice(0, 10)}: ${report.status}`,
    `${banner(report)}
${cards(report)}
${(report.status === 'success' ? [whatHappened, whatWasFound] : [whatWasFound, whatHappened]).map((part) => part(report)).join('\n')}
${section('Equality', equality(report))}
${section('Assertions', assertions(report))}
${section('Recovery point and recovery time', compliance(report))}
${section('The backup', backup(report))}
${section('What this page is', about(report, json))}`,
  );
}

const whatHappened = (report: DrillReport): string => section('Phases', phases(report));
const whatWasFound = (report: DrillReport): string => section('What was found', findings(report));

function section(title: string, body: string): string {
  return body === '' ? '' : `<section>\n<h2>${title}</h2>\n${body}\n</section>`;
}

function banner({ status, source, drill_timestamp: time, backup: drilled, error }: DrillReport): string {
  const what = drilled ? `<code>${html(drilled.label)}</code> from ${html(drilled.target)}` : 'no backup was drilled';
  return `<header class="banner ${status}">
<h1>${HEADLINES[status]}</h1>
<p>Restore drill of <bdi>${html(source)}</bdi>, ${moment(time)}: ${what}.</p>
${error ? `<p class="bad">${html(error.message)}</p>` : ''}
</header>`;
}

function cards(report: DrillReport): string {
  const { compliance: targets, worst_case: worst, tables } = report;
  const equal = tables.filter((table) => table.equal).length;
  const rows = tables.reduce((sum, { found }) => sum + (found?.rows ?? 0), 0);
  return `<div class="cards">
${card('Tables that are equal', tables.length === 0 ? '–' : `${count(equal)} of ${count(tables.length)}`, tables.length > 0 && equal === tables.length, tables.length === 0 ? 'none was compared' : `${count(rows)} rows compared by digest`)}
${card('Restore', minutes(report.restore_duration_minutes), report.rto_compliant, `target ${minutes(targets.rtoTargetMinutes)}`)}
${card('Age of the backup', minutes(report.backup_age_minutes), report.rpo_compliant, `target ${minutes(targets.rpoTargetMinutes)}`)}
${card('Worst case in a month', minutes(worst?.minutes ?? null), targets.worstCaseCompliant, 'of changes would have been lost')}
</div>`;
}

function phases({ phases: all }: DrillReport): string {
  const total = Math.max(
    all.reduce((sum, { seconds }) => sum + seconds, 0),
    0.001,
  );
  let before = 0;
  const rows = all.map(({ name, verdict, seconds }) => {
    const left = (before / total) * 100;
    before += seconds;
    const run = verdict !== 'skipped';
    const bar = run ? `<i style="left:${percent(left)};width:${percent((seconds / total) * 100)}"></i>` : '';
    return `<tr><td class="word">${html(name)}</td><td class="word ${TONES[verdict]}">${WORDS[verdict]}</td><td class="number">${run ? `${seconds.toFixed(1)} s` : ''}</td><td style="width:55%"><div class="bar ${TONES[verdict]}">${bar}</div></td></tr>`;
  });
  return `<table><thead><tr><th>Phase</th><th>Verdict</th><th class="number">Time</th><th></th></tr></thead><tbody>${rows.join('\n')}</tbody></table>`;
}

function findings({ phases: all, warnings, swept }: DrillReport): string {
  const found = all.flatMap((phase) =>
    phase.verdict === 'skipped' ? [] : phase.findings.map((finding) => findingText(phase, finding)),
  );
  const others = [
    ...warnings.map((text) => `Warning: ${text}`),
    ...swept.map((path) => `A drill that was killed had left ${path}; it was removed.`),
  ];
  return [...found, ...others.map((text) => `<p class="finding">${html(text)}</p>`)].join('\n');
}

function findingText({ name, verdict }: DrillPhase, { object, message, hint }: DrillPhase['findings'][number]): string {
  return `<div class="finding ${verdict}"><span class="soft">${html(name)}</span> · <bdi>${html(object)}</bdi><br>${html(message)}${
    hint === undefined ? '' : `<br><span class="hint">${html(hint)}</span>`
  }</div>`;
}

/** What differs comes first. */
function equality({ tables, phases: all }: DrillReport): string {
  if (tables.length === 0) return '';
  const phase = all.find(({ name }) => name === 'equality');
  const rest =
    phase?.verdict === 'passed'
      ? 'Sequences, large objects, all definitions and the properties of the database are equal, too.'
      : 'What of sequences, large objects, definitions and properties of the database differs or could not be compared is above.';
  const sorted = [...tables].sort((a, b) => Number(a.equal) - Number(b.equal));
  const rows = sorted.map(({ schema, name, expected, found, equal }) => {
    const digests =
      found && found.digest !== expected.digest
        ? `<span class="digest">${html(expected.digest)}<br>${html(found.digest)}</span>`
        : `<span class="digest">${html(expected.digest)}</span>`;
    return `<tr${equal ? '' : ' class="bad"'}><td><bdi>${html(schema)}</bdi>.<bdi>${html(name)}</bdi></td><td class="number">${count(expected.rows)}</td><td class="number">${found ? count(found.rows) : '–'}</td><td>${digests}</td><td class="word ${equal ? 'good' : 'bad'}">${equal ? 'equal' : 'NOT EQUAL'}</td></tr>`;
  });
  return `<p>Expected is what the source held at the backup's snapshot, counted and digested while it was read; found is what the restored database holds. ${rest}</p>
<div class="wide"><table><thead><tr><th>Table</th><th class="number">Rows expected</th><th class="number">found</th><th>Digest of all rows</th><th></th></tr></thead>
<tbody>${rows.join('\n')}</tbody></table></div>`;
}

function assertions({ assertions: all }: DrillReport): string {
  if (all.length === 0) return '';
  const rows = all.map(
    ({ name, verdict, message }) =>
      `<tr><td><bdi>${html(name)}</bdi></td><td class="word ${TONES[verdict]}">${WORDS[verdict]}</td><td>${html(message ?? '')}</td></tr>`,
  );
  return `<table><thead><tr><th>Assertion</th><th>Verdict</th><th></th></tr></thead><tbody>${rows.join('\n')}</tbody></table>`;
}

function compliance({ compliance: targets, worst_case: worst, trend }: DrillReport): string {
  const lines = [
    ...targets.hopeless.map(
      ({ message, remedy }) => `<p class="finding failed">${html(message)}<br><span class="hint">${html(remedy)}</span></p>`,
    ),
    ...targets.notes.map((note) => `<p class="finding">${html(note)}</p>`),
    worst === null
      ? '<p>No good backup of the period is known.</p>'
      : `<p>The longest time without a new backup since ${html(targets.periodStart.slice(0, 10))} was ${html(minutes(worst.minutes))}: from ${moment(worst.from.time)} to ${worst.to ? moment(worst.to.time) : 'this drill'}.</p>`,
    `<p>${html(targets.forecast.says)}</p>`,
  ];
  const chart = (title: string, key: 'restore_duration_minutes' | 'backup_age_minutes', limit: number) =>
    `<figure>${lineChart({ title, limit, unit: 'minutes', points: trend.map((point) => ({ label: `${point.drill_timestamp.slice(0, 16).replace('T', ' ')}${point.way === undefined ? '' : `, ${point.way}`}`, value: point[key] })) })}<figcaption>${html(title)}; the dashed line is the target</figcaption></figure>`;
  return `${lines.join('\n')}
<div class="charts">
${chart('Minutes of a restore', 'restore_duration_minutes', targets.rtoTargetMinutes)}
${chart('Minutes of age of the backup', 'backup_age_minutes', targets.rpoTargetMinutes)}
</div>`;
}

function backup({ backup: drilled, restoredInto, restores, versions }: DrillReport): string {
  if (!drilled) return '';
  const facts: (readonly [string, string])[] = [
    ['File', drilled.location],
    ['Read from', `${drilled.target}: ${drilled.targetReason}`],
    ['Database', drilled.database],
    ['Snapshot', `${drilled.snapshot.time}, ${drilled.snapshot.lsn}`],
    ['Size', `${count(drilled.bytes)} bytes (${drilled.codec}), ${count(drilled.rawBytes)} bytes of SQL`],
    ['SHA-256', drilled.sha256],
    ['Server of the source', drilled.serverVersion],
    ...(versions.server === undefined
      ? []
      : [['Server of the drill', `${versions.server}, ${restoredInto ?? 'a throw-away server'}`] as const]),
    ...restores.map(
      ({ way, seconds, command }) =>
        [
          way === 'plain' ? 'Restored with stock tools' : 'Restored by db-backup',
          `${seconds.toFixed(1)} s${command === undefined ? '' : `: ${command}`}`,
        ] as const,
    ),
  ];
  return `<table><tbody>${facts.map(([name, value]) => `<tr><th class="word">${html(name)}</th><td><bdi>${html(value)}</bdi></td></tr>`).join('\n')}</tbody></table>`;
}

function about({ versions, finishedAt, durationSeconds }: DrillReport, json: string): string {
  return `<p class="soft">Made by db-backup ${html(versions.dbBackup)} on Node ${html(versions.node)}; ended ${moment(finishedAt)} after ${durationSeconds.toFixed(1)} s.
It says the same as <code>${html(json)}</code> beside it, which is the report that counts. The status is that of restore and equality; whether the
targets of recovery point and time are kept is told apart from it.</p>`;
}

function moment(iso: string): string {
  return `<time datetime="${html(iso)}">${html(iso.slice(0, 19).replace('T', ' '))} UTC</time>`;
}

function minutes(value: number | null): string {
  if (value === null) return 'not known';
  if (value < 1) return `${Math.round(value * 60)} s`;
  if (value >= 72 * 60) return `${Math.round((value / 1440) * 10) / 10} days`;
  return value >= 120 ? `${Math.round((value / 60) * 10) / 10} h` : `${Math.round(value * 10) / 10} min`;
}

function percent(value: number): string {
  return `${Math.round(value * 100) / 100}%`;
}

function count(value: number): string {
  return value.toLocaleString('en');
}
