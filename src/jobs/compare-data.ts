import { createHash } from 'node:crypto';
import { createReadStream, type Dirent } from 'node:fs';
import { readdir, readlink, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { PgChecksum, PgManifestFile } from '../catalog/pg-manifest.ts';
import { Crc32c } from '../codec/crc32c.ts';
import { absentAs } from '../errors.ts';
import { CONTROL } from './delta.ts';

export interface DataComparison {
  /** From the data directory on: as they are in the backup. */
  readonly same: ReadonlySet<string>;
  readonly sameBytes: number;
  /** Whole paths of what is not in the backup, or not like that. */
  readonly others: readonly string[];
  readonly otherBytes: number;
  /** By oid: where the links of tablespaces lead. */
  readonly spaces: Readonly<Record<string, string>>;
}

const TABLESPACES = 'pg_tblspc';

/**
 * Which files of a data directory are, byte by byte, those of a backup. In tablespaces only what is this version's is looked at
 * (`PG_<major>_…`): another server may share the place.
 */
export async function compareData(
  folder: string,
  files: readonly PgManifestFile[],
  major: number,
  signal: AbortSignal,
): Promise<DataComparison> {
  const wanted = new Map(files.map((file) => [file.path, file]));
  const same = new Set<string>();
  const others: string[] = [];
  const spaces: Record<string, string> = {};
  let [sameBytes, otherBytes] = [0, 0];
  const look = async (path: string, name: string): Promise<void> => {
    signal.throwIfAborted();
    const { size } = await stat(path);
    const file = wanted.get(name);
    if (name !== CONTROL && file?.bytes === size && file.checksum && (await matches(path, file.checksum, signal))) {
      same.add(name);
      sameBytes += size;
    } else {
      others.push(path);
      otherBytes += size;
    }
  };
  for await (const { path, name, entry } of walk(folder, '')) {
    if (entry.isFile()) await look(path, name);
    else if (entry.isSymbolicLink() && name.startsWith(`${TABLESPACES}/`)) {
      const place = await readlink(path);
      spaces[entry.name] = place;
      for (const own of (await absentAs<string[]>([], readdir(place))).filter((each) => each.startsWith(`PG_${major}_`))) {
        for await (const inner of walk(join(place, own), `${name}/${own}/`))
          if (inner.entry.isFile()) await look(inner.path, inner.name);
      }
    } else if (entry.isSymbolicLink() && name === 'pg_wal') {
      for await (const inner of walk(path, 'pg_wal/')) if (inner.entry.isFile()) await look(inner.path, inner.name);
    }
  }
  return { same, sameBytes, others, otherBytes, spaces };
}

interface Found {
  readonly path: string;
  readonly name: string;
  readonly entry: Dirent;
}

async function* walk(folder: string, prefix: string): AsyncGenerator<Found> {
  for (const entry of await readdir(folder, { withFileTypes: true })) {
    const [path, name] = [join(folder, entry.name), prefix + entry.name];
    if (entry.isDirectory()) yield* walk(path, `${name}/`);
    else yield { path, name, entry };
  }
}

async function matches(path: string, { algorithm, hex }: PgChecksum, signal: AbortSignal): Promise<boolean> {
  const sum = algorithm === 'SHA256' ? createHash('sha256') : new Crc32c();
  for await (const chunk of createReadStream(path, { highWaterMark: 2 ** 20, signal })) sum.update(chunk as Buffer);
  return sum.digest('hex') === hex;
}
