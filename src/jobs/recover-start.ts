import { startRecovered, type StartedServer } from '../postgres/start-recovered.ts';
import type { RecoverParts, RecoverRequest } from './plan-recovery.ts';
import { recover, type Recovered } from './recover.ts';

export interface RecoveredAndStarted extends Recovered {
  readonly server: StartedServer;
}

/**
 * Makes the data directory, starts a server on it and waits until that has come to the target, while its WAL is fetched ahead of it. The
 * programs are found before anything. When it does not get there the directory goes: started once more, a server would take the end of
 * what it has for the end of the WAL.
 */
export async function recoverAndStart(
  parts: RecoverParts,
  request: RecoverRequest,
  signal: AbortSignal,
): Promise<RecoveredAndStarted> {
  const done = await recover(parts, { ...request, ahead: {} }, signal, parts.findServer);
  try {
    const { directory: binDirectory } = await parts.findServer(majorOf(done));
    const pause = request.action === 'pause';
    const { dataDirectory } = done;
    return {
      ...done,
      server: await startRecovered({ dataDirectory, binDirectory, connection: parts.connection, pause, signal }),
    };
  } catch (error) {
    await done.discard();
    throw done.ahead?.failure() ?? error;
  } finally {
    await done.ahead?.end();
  }
}

function majorOf({ base }: Recovered): number {
  return Number.parseInt(base.manifest.serverVersion, 10);
}
