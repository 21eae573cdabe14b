import { describeTorture } from '../../support/torture/every-way.ts';

describeTorture(
  17,
  [
    { codec: 'gzip', workers: 1 },
    { codec: 'zstd', workers: 4 },
  ],
  { drill: true },
);
