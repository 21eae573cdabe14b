import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { REPOSITORY } from './program.mjs';

/**
 * Installs what tests on real servers need and this machine lacks. In CI all of it has to be there; elsewhere it says what is skipped.
 * Resolves to the failed result that stands for the tests that cannot run, if there is one.
 */
export async function installServers() {
  const mode = process.env.CI === 'true' ? 'ci' : 'test';
  const setup = spawn(process.execPath, [`${REPOSITORY}scripts/setup.mjs`, mode], { stdio: ['ignore', 'inherit', 'inherit'] });
  const [status] = await once(setup, 'close');
  if (status === 0) return [];
  const failures = [{ title: 'set-up: what the tests need could not be installed', details: '(see above)' }];
  return [{ section: 'set-up', passed: 0, failures, skipped: [], reasons: [] }];
}
