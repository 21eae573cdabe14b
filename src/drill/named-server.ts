import type { Manifest } from '../catalog/manifest.ts';
import { BackupError } from '../errors.ts';
import { findPrograms } from '../postgres/programs.ts';
import { readServerFacts } from '../postgres/server-facts.ts';
import { noFindings, resultOf, type Findings } from './check.ts';
import { checkCollations } from './collations.ts';
import { checkExtensions, type ChosenExtensions } from './extensions.ts';
import { allowedBy, type DrillServer, type Preflight, type PreflightInput } from './preflight.ts';
import { withSession, type Client } from './session.ts';
import { rolesOf } from './stand-ins.ts';
import { tryLocale } from './try-locale.ts';

/**
 * The preflight on a server that the user names: nothing is made there but scratch databases. Roles and tablespaces belong to the
 * whole server, which is not ours, so that they must be there; what is not makes it inconclusive.
 */
export async function preflightOnNamed(
  { manifest, directories, allowed, signal }: PreflightInput,
  server: DrillServer,
): Promise<Preflight> {
  const findings = noFindings();
  const { host, port } = server.connection;
  findings.notes.push({
    object: 'server',
    message: `restored into scratch databases on ${host}:${port} (drill.target); its free space is not known`,
  });
  return await withSession(server.connection, signal, async (client): Promise<Preflight> => {
    const facts = await readServerFacts(client);
    const needed = Math.floor(manifest.server.versionNum / 10_000);
    if (facts.major < needed || facts.standby) {
      const what = facts.standby
        ? 'is a standby, which takes no writes'
        : `is older than the source (${manifest.server.version})`;
      const hint = 'Name another server (DRILL_TARGET_HOST), or none: each drill then starts one of its own.';
      findings.unsure.push({ object: 'server', message: `PostgreSQL ${facts.version} ${what}`, hint });
      return resultOf(findings);
    }
    if (facts.version !== manifest.server.version)
      findings.notes.push({
        object: 'server',
        message: `PostgreSQL ${facts.version}; the source was ${manifest.server.version}`,
      });
    if (facts.systemIdentifier !== undefined && facts.systemIdentifier === manifest.server.systemIdentifier) {
      const message = 'it is the very server that was backed up: the drill is a load on it, and a disaster there takes both';
      findings.notes.push({ object: 'server', message });
    }
    const extensions = await look(client, manifest, facts.major, server.prefix, allowed, findings);
    // The archive beside the dump is read only by programs that are not older than the pg_dump that wrote it.
    const archive = Number.parseInt(manifest.programs.pgDump, 10) || needed;
    const programs = await findPrograms({ serverMajor: Math.max(facts.major, archive), directories }).catch((error: unknown) => {
      if (!(error instanceof BackupError) || error.code !== 'CLIENT_PROGRAM_MISSING') throw error;
      findings.unsure.push({ object: 'programs', message: error.message, ...(error.hint && { hint: error.hint }) });
    });
    const result = resultOf(findings);
    if (result.verdict !== 'passed' || !programs) return result;
    const maintenanceWorkMem = (await client.query<{ maintenance_work_mem: string }>('SHOW maintenance_work_mem')).rows[0]!
      .maintenance_work_mem;
    return { ...result, ready: { server, serverVersion: facts.version, programs, maintenanceWorkMem, extensions } };
  });
}

async function look(
  client: Client,
  manifest: Manifest,
  major: number,
  prefix: string,
  allowed: readonly string[],
  findings: Findings,
): Promise<ChosenExtensions> {
  const { rows } = await client.query<{ superuser: boolean; roles: string[]; tablespaces: string[] }>(
    `SELECT rolsuper AS superuser, ARRAY(SELECT rolname::text FROM pg_roles) AS roles, ARRAY(SELECT spcname::text FROM pg_tablespace) AS tablespaces
       FROM pg_roles WHERE rolname = current_user`,
  );
  const { superuser, roles, tablespaces } = rows[0]!;
  const lackingRoles = [...new Set(rolesOf(manifest))].filter((name) => !roles.includes(name));
  if (lackingRoles.length > 0) {
    findings.unsure.push({
      object: 'roles',
      message: `the server lacks roles that own something or have privileges: ${lackingRoles.join(', ')}`,
      hint: 'Make them there, without login: CREATE ROLE … NOLOGIN. A drill makes no roles on a server that is not its own.',
    });
  }
  const lackingSpaces = [...new Set([...manifest.requires.tablespaces, manifest.database.tablespace])].filter(
    (name) => !tablespaces.includes(name),
  );
  if (lackingSpaces.length > 0) {
    findings.unsure.push({
      object: 'tablespaces',
      message: `the server lacks tablespaces: ${lackingSpaces.join(', ')}`,
      hint: 'Make them there, in any folder of the server.',
    });
  }
  if (!superuser)
    findings.notes.push({ object: 'role', message: 'it is no superuser: some checks may not be possible, and are then named' });
  const extensions = await checkExtensions(client, manifest.requires.extensions, major, allowedBy(allowed), findings);
  if (lackingRoles.length === 0 && lackingSpaces.length === 0)
    await tryLocale(client, manifest.database, `${prefix}locale_`, findings);
  await checkCollations(client, manifest, findings);
  return extensions;
}
