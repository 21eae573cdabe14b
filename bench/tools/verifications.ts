import { join } from 'node:path';

import { ourVerifications } from './ours.ts';
import { FILES } from './pg-dump.ts';
import { dumpFolder, type Reader, type Tool, type Workshop } from './tool.ts';

/** Ways to see that a dump is whole. Compressors know no more than their own checksum. */
export function verifications(shop: Workshop): Tool[] {
  const theirs = (['gzip', 'zstd'] as const).flatMap((name): Reader[] => {
    const program = shop.find(name);
    if (program === undefined) return [];
    const file = join(dumpFolder(shop, `pg-dump-${name}`), FILES[name]);
    return [
      {
        id: `${name}-test`,
        name: `${name} -t`,
        kind: 'peer',
        reads: `pg-dump-${name}`,
        command: { file: program, args: ['-q', '-t', file], env: {} },
      },
    ];
  });
  const nothing = async (): Promise<void> => undefined;
  return [...theirs, ...ourVerifications(shop)].map((tool) => ({
    ...tool,
    before: nothing,
    bytes: async () => 0,
    after: nothing,
  }));
}
