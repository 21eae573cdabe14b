import { describeTorture } from '../../support/torture/every-way.ts';

describeTorture(15, [
  { codec: 'gzip', workers: 4 },
  { codec: 'zstd', workers: 1 },
]);
