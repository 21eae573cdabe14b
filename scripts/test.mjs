// Runs the checks and tests and ends with one line of counts. Every static check counts as one test.
//
//   node scripts/test.mjs [SECTION…] [-- PATTERN…]
//
// Sections: check (types, lint, format, structure, unused, build), unit, contract, integration, faults, container; all without arguments.
// Patterns choose test files, as jest takes them. With CI=true a skipped test is a failed one.
import { parseArgs } from 'node:util';
import { runChecks } from './test/checks.mjs';
import { runContainer } from './test/container.mjs';
import { runJest } from './test/jest.mjs';
import { installServers } from './test/servers.mjs';
import { printSummary } from './test/summary.mjs';

if (Number(process.versions.node.split('.')[0]) < 22) {
  console.error(
    `This is Node ${process.versions.node}. Run the tests by 'npm test' or 'npm run test:unit': they bring the Node they need.`,
  );
  process.exit(2);
}

const ON_SERVERS = ['contract', 'integration', 'faults'];
const SECTIONS = ['check', 'unit', ...ON_SERVERS, 'container'];

const { tokens } = parseArgs({ strict: false, allowPositionals: true, tokens: true });
const end = tokens.find((token) => token.kind === 'option-terminator')?.index ?? Infinity;
const positionals = tokens.filter((token) => token.kind === 'positional');
const named = positionals.filter((token) => token.index < end && SECTIONS.includes(token.value)).map((token) => token.value);
const patterns = positionals.filter((token) => token.index > end || !SECTIONS.includes(token.value)).map((token) => token.value);
const wanted = (section) => named.length === 0 || named.includes(section);
const onServers = ON_SERVERS.filter(wanted);

// What needs nothing runs while the servers are installed; the tests in containers wait a lot, and others use the processors meanwhile.
const servers = onServers.length > 0 || wanted('container') ? installServers() : Promise.resolve([]);
async function ordinary() {
  const done = [];
  if (wanted('check')) done.push(await runChecks());
  if (wanted('unit')) done.push(...(await runJest(['unit'], patterns)));
  if (onServers.length > 0 && (await servers).length === 0) done.push(...(await runJest(onServers, patterns)));
  return done;
}
async function inContainers() {
  return wanted('container') && (await servers).length === 0 ? [await runContainer(patterns)] : [];
}
const results = (await Promise.all([servers, ordinary(), inContainers()])).flat();
const good = printSummary(results, { skippedIsFailed: process.env.CI === 'true' });
process.exitCode = good ? 0 : 1;
