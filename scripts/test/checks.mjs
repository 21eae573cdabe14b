import { runProgram } from './program.mjs';

const CHECKS = [
  { name: 'types', program: 'typescript/bin/tsc', args: ['-p', '.'] },
  { name: 'lint', program: 'eslint/bin/eslint.js', args: ['.', '--max-warnings', '0'] },
  { name: 'format', program: 'prettier/bin/prettier.cjs', args: ['--check', '--log-level', 'warn', '.'] },
  {
    name: 'structure',
    program: 'dependency-cruiser/bin/dependency-cruise.mjs',
    args: ['src', 'test', 'bench', 'scripts', '--output-type', 'err'],
  },
  { name: 'unused', program: 'knip/bin/knip.js', args: ['--no-progress', '--no-config-hints'] },
  // With a folder it does not check the types once more.
  { name: 'build', program: '../scripts/build.mjs', args: ['dist'] },
];

/** The static checks, two at a time. */
export async function runChecks() {
  const waiting = [...CHECKS];
  const failures = [];
  async function work() {
    for (let check = waiting.shift(); check !== undefined; check = waiting.shift()) {
      const { status, output } = await runProgram(check.program, check.args);
      console.log(`${status === 0 ? 'pass' : 'FAIL'}  check: ${check.name}`);
      if (status !== 0) failures.push({ title: `check: ${check.name}`, details: output });
    }
  }
  await Promise.all([work(), work()]);
  return { section: 'check', passed: CHECKS.length - failures.length, failures, skipped: [], reasons: [] };
}
