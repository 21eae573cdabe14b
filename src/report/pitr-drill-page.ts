import { secondsText } from '../quantities.ts';
import { card, page, TONES, WORDS } from './drill-page-parts.ts';
import { html } from './html-text.ts';
import type { PitrDrillReport, RecoveryProof } from './pitr-drill-report.ts';

const HEADLINES: Record<PitrDrillReport['status'], string> = {
  success: 'The server recovers to any instant, with exactly what was committed before it',
  failure: 'Point-in-time recovery did not pass the drill',
  inconclusive: 'Nothing is proven: something could not be checked',
};

/** The report as one page for a person: nothing is fetched, nothing is run. `json` is the name of the report's other file. */
export function pitrDrillPage(report: PitrDrillReport, json: string): string {
  const { source, drill_timestamp: time, status, error, versions } = report;
  return page(
    `Drill of point-in-time recovery of ${source}, ${time.slice(0, 10)}: ${status}`,
    `<header class="banner ${status}">
<h1>${HEADLINES[status]}</h1>
<p>Drill of point-in-time recovery of <bdi>${html(source)}</bdi>, ${html(time)}.</p>
${error ? `<p class="bad">${html(error.message)}</p>` : ''}
</header>
${cards(report)}
<section><h2>Phases</h2>${phases(report)}</section>
${recovery('The random instant', report.instant)}
${recovery('The newest instant', report.newest)}
<section><h2>What this page is</h2>
<p class="soft">The instant was chosen by the seed <code>${html(report.seed)}</code>${report.window ? ` between ${html(report.window.from)} and ${html(report.window.to)}` : ''}, read from ${html(report.target)}. Every
commit record of the WAL was read with pg_waldump, and the recovered server was asked for the fate of each transaction. Made by db-backup
${html(versions.dbBackup)} on Node ${html(versions.node)}. It says the same as <code>${html(json)}</code> beside it, which is the report that counts.</p></section>`,
  );
}

function cards({ achieved_rpo_seconds: rpo, recovery_duration_minutes: rto, objectives, ...report }: PitrDrillReport): string {
  const commits = report.instant?.commits;
  const exact = commits !== undefined && commits.missing.length === 0 && commits.extra.length === 0;
  return `<div class="cards">
${card('Transactions before the instant', commits ? commits.present.toLocaleString('en') : '–', exact, commits ? `all are there; of ${commits.absent.toLocaleString('en')} after it none is` : 'not proven')}
${card('Recovery point', rpo === null ? 'not known' : secondsText(rpo), report.rpo_compliant, `target ${objectives.rpoTargetMinutes} min`)}
${card('Recovery time', rto === null ? 'not known' : secondsText(rto * 60), report.rto_compliant, `target ${objectives.rtoTargetMinutes} min`)}
</div>`;
}

function phases({ phases: all }: PitrDrillReport): string {
  const rows = all.map(({ name, verdict, seconds, findings }) => {
    const found = findings.map(({ object, message }) => `<bdi>${html(object)}</bdi>: ${html(message)}`).join('<br>');
    return `<tr><td class="word">${html(name)}</td><td class="word ${TONES[verdict]}">${WORDS[verdict]}</td><td class="number">${seconds.toFixed(1)} s</td><td>${found}</td></tr>`;
  });
  return `<table><thead><tr><th>Phase</th><th>Verdict</th><th class="number">Time</th><th></th></tr></thead><tbody>${rows.join('\n')}</tbody></table>`;
}

function recovery(title: string, proof: RecoveryProof | undefined): string {
  if (!proof) return '';
  const { asked, base, reached, seconds, commits } = proof;
  const facts: [string, string][] = [
    ['Asked for', asked],
    ['Reached', `${reached.lsn}, last transaction ${reached.lastTransaction ?? 'none after the physical backup'}`],
    ['Physical backup', base],
    ['Fetched and checked in', secondsText(seconds.fetch)],
    ['Replayed and opened in', secondsText(seconds.replay)],
    ...(commits
      ? ([
          ['Committed before, and there', commits.present.toLocaleString('en')],
          ['Committed after, and not there', commits.absent.toLocaleString('en')],
          ...(commits.last ? [['Last before', `${commits.last.xid} at ${commits.last.lsn}, ${commits.last.time}`]] : []),
          ...(commits.next ? [['First after', `${commits.next.xid} at ${commits.next.lsn}, ${commits.next.time}`]] : []),
          ...[...commits.missing, ...commits.extra].map((each) => ['WRONG', each]),
        ] as [string, string][])
      : []),
  ];
  const rows = facts.map(([name, value]) => `<tr><th class="word">${html(name)}</th><td><bdi>${html(value)}</bdi></td></tr>`);
  return `<section><h2>${title}</h2><table><tbody>${rows.join('\n')}</tbody></table></section>`;
}
