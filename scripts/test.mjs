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
import { printSummary } from './test/summary.mjs';

if (Number(process.versions.node.split('.')[0]) < 22) {
  console.error(
    `This is Node ${process.versions.node}. Run the tests by 'npm test' or 'npm run test:unit': they bring the Node they need.`,
  );
  process.exit(2);
}

const SECTIONS = ['check', 'unit', 'contract', 'integration', 'faults', 'container'];

const { tokens } = parseArgs({ strict: false, allowPositionals: true, tokens: true });
const end = tokens.find((token) => token.kind === 'option-terminator')?.index ?? Infinity;
const positionals = tokens.filter((token) => token.kind === 'positional');
const named = positionals.filter((token) => token.index < end && SECTIONS.includes(token.value)).map((token) => token.value);
const patterns = positionals.filter((token) => token.index > end || !SECTIONS.includes(token.value)).map((token) => token.value);

const results = [];
for (const section of named.length > 0 ? named : SECTIONS) {
  if (section === 'check') results.push(await runChecks());
  else if (section === 'container') results.push(await runContainer(patterns));
  else results.push(await runJest(section, patterns));
}
const good = printSummary(results, { skippedIsFailed: process.env.CI === 'true' });
process.exitCode = good ? 0 : 1;
