import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';

/** The folder that README and docs/ are in. */
export const ROOT = fileURLToPath(new URL('../..', import.meta.url));

/** What stands in the fences of a language in a document (`docs/restore.md`), from the first place of `after` on. */
export async function blocksOf(document: string, language: string, after = ''): Promise<string[]> {
  const text = await readFile(new URL(document, `file://${ROOT}`), 'utf8');
  const from = text.indexOf(after);
  if (from === -1) throw new Error(`${document} has no ${after}`);
  return [...text.slice(from).matchAll(/^```(\w*)\n([^]*?)^```$/gm)].flatMap(([, of, code]) => (of === language ? [code!] : []));
}

export interface ShellOptions {
  readonly cwd: string;
  readonly env?: Readonly<Record<string, string>>;
}

/** Runs a block as a person would who pastes it into a shell; `set -e` before it stops at the first command that fails. */
export async function runShell(code: string, { cwd, env }: ShellOptions): Promise<{ status: number; says: string }> {
  return await new Promise((resolve) => {
    const options = { cwd, maxBuffer: 64 * 1024 * 1024, ...(env && { env }) };
    execFile('sh', ['-c', code], options, (error, stdout, stderr) => {
      resolve({ status: error === null ? 0 : Number(error.code ?? -1), says: stdout + stderr });
    });
  });
}
