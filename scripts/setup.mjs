// Installs what a mode needs and this machine lacks; says nothing when there is nothing to do. Then, if asked, runs a script.
//
//   node scripts/setup.mjs MODE [SCRIPT [ARGS…]]
//
//   packages   the npm packages, the pinned Node among them, and the WebAssembly kernel
//   demo       and PostgreSQL; a real S3 server if one can be had
//   bench      and PostgreSQL; with --install among ARGS the tools to compare with as well
//   test       and further PostgreSQL versions, a real S3 server and a Docker engine if they can be had; what needs them is skipped otherwise
//   ci         the same, and fails unless all of it is there
//   kernel     only the kernel, if its compiler is installed (npm runs this after it installed the packages)
//
// SCRIPT runs on the project's own Node. This file and what it imports run on Node 20 with nothing installed.
import { requireNode, runScript } from './setup/node.mjs';
import { buildKernel } from './setup/kernel.mjs';
import { installPackages } from './setup/packages.mjs';
import { installPostgresql } from './setup/postgresql.mjs';
import { DOCKER_ENGINE, installExtra, PEERS, POOLER, POSTGRESQL_VERSIONS, S3_SERVER, SHELLCHECK } from './setup/extras.mjs';
import { fail, SetupError } from './setup/report.mjs';

const MODES = ['packages', 'demo', 'bench', 'test', 'ci', 'kernel'];
const [mode = 'packages', script, ...args] = process.argv.slice(2);

try {
  if (!MODES.includes(mode)) throw new SetupError(`there is no mode '${mode}'`, `The modes are: ${MODES.join(', ')}.`);
  requireNode();
  if (mode === 'kernel') {
    buildKernel({ optional: true });
  } else {
    installPackages();
    buildKernel({ optional: false });
  }
  if (mode !== 'packages' && mode !== 'kernel') installPostgresql({ forTests: mode === 'test' || mode === 'ci' });
  if (mode === 'demo') await installExtra(S3_SERVER, { without: 'a second folder stands for the off-site copy' });
  if (mode === 'bench' && args.includes('--install')) {
    for (const peer of PEERS) await installExtra(peer, { without: 'it is left out' });
  }
  if (mode === 'test' || mode === 'ci') {
    const skipping = (tests) => (mode === 'ci' ? {} : { without: `${tests} are skipped` });
    // Unpacking the versions takes as long as all the rest, and asks nothing of the system's package manager.
    const versions = installExtra(POSTGRESQL_VERSIONS, skipping('tests on those versions'));
    const others = async () => {
      await installExtra(S3_SERVER, skipping('tests against a real S3 server'));
      await installExtra(DOCKER_ENGINE, skipping('tests in containers'));
      await installExtra(SHELLCHECK, skipping('checks of shell scripts'));
      await installExtra(POOLER, skipping('tests behind a pooler'));
    };
    const failed = (await Promise.allSettled([versions, others()])).find(({ status }) => status === 'rejected');
    if (failed) throw failed.reason;
  }
} catch (error) {
  fail(error);
}
if (script !== undefined) runScript(script, args);
