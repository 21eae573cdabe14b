import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';

import type { ConnectionOptions } from '../postgres/connection.ts';
import { runAssertion, type AssertionRun } from './assertion.ts';
import { noFindings, resultOf, type CheckResult } from './check.ts';

export interface AssertionsInput {
  /** The restored database. */
  readonly connection: ConnectionOptions;
  /** Holds one `.sql` file for each assertion. */
  readonly folder: string;
  /** For each assertion. */
  readonly timeoutSeconds: number;
  readonly signal: AbortSignal;
}

export interface AssertionResult extends AssertionRun {
  /** Name of the file without `.sql`. */
  readonly name: string;
}

export interface AssertionsResult extends CheckResult {
  /** In the order of the files' names. */
  readonly assertions: readonly AssertionResult[];
}

/**
 * Runs the user's own checks, one a file, in the order of their names. One that fails, for whatever reason, does not keep the others
 * from being run. A folder that does not exist has none; one that cannot be read is `inconclusive`.
 */
export async function runAssertions(input: AssertionsInput): Promise<AssertionsResult> {
  const { connection, folder, timeoutSeconds, signal } = input;
  const findings = noFindings();
  const assertions: AssertionResult[] = [];
  for (const file of await listFiles(folder, findings.unsure)) {
    signal.throwIfAborted();
    const name = file.slice(0, -'.sql'.length);
    let run: AssertionRun;
    try {
      run = await runAssertion(connection, await readFile(join(folder, file), 'utf8'), timeoutSeconds, signal);
    } catch (error) {
      signal.throwIfAborted();
      run = {
        verdict: 'inconclusive',
        message: `it could not be run: ${error instanceof Error ? error.message : String(error)}`,
      };
    }
    assertions.push({ name, ...run });
    const finding = { object: `assertion ${name}`, message: run.message ?? '' };
    if (run.verdict === 'failed') findings.failed.push(finding);
    if (run.verdict === 'inconclusive') findings.unsure.push(finding);
  }
  return { ...resultOf(findings), assertions };
}

async function listFiles(folder: string, unsure: { object: string; message: string; hint?: string }[]): Promise<string[]> {
  try {
    const files = (await readdir(folder)).filter((file) => file.endsWith('.sql') && !file.startsWith('.'));
    return files.sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    if (code !== 'ENOENT') unsure.push({ object: folder, message: `the folder of assertions cannot be read: ${message}` });
    return [];
  }
}
