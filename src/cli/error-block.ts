import { inspect } from 'node:util';

import type { BackupError } from '../errors.ts';

/** An error as a person should see it: what failed and what it means, what to do, and the code to search for. */
export function errorBlock(
  error: BackupError,
  options: { readonly title?: string; readonly verbose?: boolean; readonly redact?: (text: string) => string } = {},
): string {
  const { title = 'Error', verbose = false, redact = (text: string): string => text } = options;
  const lines = [`${title}: ${error.message}`];
  if (error.hint !== undefined) lines.push(`  What to do: ${error.hint}`);
  lines.push(`  Code: ${error.code} (exit status ${error.exitStatus})`);
  if (verbose) lines.push('', ...stacks(error));
  return redact(lines.join('\n'));
}

function stacks(error: unknown): string[] {
  if (!(error instanceof Error)) return error === undefined ? [] : [inspect(error)];
  const own = error.stack ?? error.message;
  return error.cause === undefined ? [own] : [own, 'Caused by:', ...stacks(error.cause)];
}
