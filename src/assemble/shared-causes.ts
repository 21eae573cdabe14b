import type { Config } from '../config.ts';
import type { SharedCauses } from '../jobs/shared-cause.ts';
import type { Cause } from '../notify/alert.ts';

/** What a source depends on together with others, by the configuration of all of them. */
export function sharedCauses({ source, targets }: Config, all: readonly Config[]): SharedCauses {
  const { local, s3 } = targets;
  const { host, port } = source.connection;
  const server = cause(`server ${host}:${port}`, all, (each) => {
    const { connection } = each.source;
    return connection.host === host && connection.port === port;
  });
  const isSameFolder = (each: Config) => each.targets.local?.directory === local?.directory;
  const isSameBucket = (each: Config) => bucketOf(each) === bucketOf({ targets });
  const folder = local && `local (${local.directory})`;
  const bucket = s3 && `s3 (bucket ${s3.bucket})`;
  const names = [folder, bucket].filter((name) => name !== undefined);
  const each = new Map<string, Cause | undefined>([
    ...(folder === undefined ? [] : [['local', cause(`target ${folder}`, all, isSameFolder)] as const]),
    ...(bucket === undefined ? [] : [['s3', cause(`target ${bucket}`, all, isSameBucket)] as const]),
  ]);
  const together = cause(`targets ${names.join(', ')}`, all, (other) => isSameFolder(other) && isSameBucket(other));
  const machine = sharedByAll('this machine', all);
  return {
    ...(server && { server }),
    ...(machine && { machine }),
    target: (name) => each.get(name),
    ...(names.length === 1 ? { targets: [...each.values()][0] } : { targets: together }),
  };
}

/** What all sources depend on. */
export function sharedByAll(name: string, all: readonly Config[]): Cause | undefined {
  return cause(name, all, () => true);
}

/** `undefined`: nobody else depends on it. */
function cause(name: string, all: readonly Config[], depends: (config: Config) => boolean): Cause | undefined {
  const those = all.filter(depends);
  if (those.length < 2 && those.every(({ source }) => source.every === undefined)) return undefined;
  return { name, sources: those.map(({ source }) => (source.every ? `${source.name}.*` : source.name)) };
}

function bucketOf({ targets: { s3 } }: Pick<Config, 'targets'>): string | undefined {
  return s3 && JSON.stringify([s3.endpoint ?? s3.region, s3.bucket]);
}
