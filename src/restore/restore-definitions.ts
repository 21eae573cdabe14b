import type { Manifest } from '../catalog/manifest.ts';
import { inspectTarget, restoreBeside } from './beside.ts';
import { decodeInBackground } from './decode.ts';
import { describeMember } from './describe-member.ts';
import { createMemberReader, type ReadMember } from './member-reader.ts';
import { createPhaseRunner, type RunContext } from './phases.ts';
import { NO_CHOICE, scriptFilter, type ExtensionChoice } from './extension-choice.ts';
import { DEFAULT_MAINTENANCE_WORK_MEM, type RestoreInput } from './restore.ts';
import { runScript } from './run-sql.ts';

/**
 * Restores a backup without the rows that it holds in chunks: its head and its tail, into a new database. What a drill compares the
 * definitions of the whole restore with.
 */
export async function restoreDefinitions(
  input: Omit<RestoreInput, 'temporaryFolder'>,
  options: { readonly database: string; readonly extensions?: ExtensionChoice },
  context: RunContext,
): Promise<void> {
  const { source, programs } = input;
  const { manifest } = source;
  const { signal } = context;
  const phases = createPhaseRunner(context);
  const reader = createMemberReader(source);
  const chunks = manifest.members.findIndex(({ kind }) => kind !== 'head');
  const tail = manifest.members.findIndex(({ kind }) => kind === 'tail');
  const filter = scriptFilter(options.extensions ?? NO_CHOICE);
  const target = await inspectTarget(input.connection, options);
  await restoreBeside(target, options, manifest.database, { ...context, phases }, async (connection) => {
    const program = { programs, connection, maintenanceWorkMem: DEFAULT_MAINTENANCE_WORK_MEM, signal };
    await runScript(program, filter(decodeAll(manifest, reader.read(0, chunks, signal))), 'the definitions');
    const rest = reader.read(tail, manifest.members.length, signal);
    await runScript(program, filter(decodeAll(manifest, rest)), 'what comes after the rows');
  });
}

async function* decodeAll(manifest: Manifest, members: AsyncIterable<ReadMember>): AsyncGenerator<Buffer, void, void> {
  for await (const { index, bytes } of members)
    yield await decodeInBackground(manifest.codec.name, bytes, describeMember(manifest, index));
}
