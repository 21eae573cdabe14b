import { insertRows, scaled, type DataSet } from './data-set.ts';
import { randomSql } from './random-sql.ts';

/** Bytes of one stored row of each table, in blocks of 64; in SQL each takes two digits. */
const THUMBNAIL_BLOCKS = 16;
const FILE_BLOCKS = 1024;
const BLOCK_SQL_BYTES = 128;
const GB = 1e9;

export const incompressible: DataSet = {
  name: 'incompressible',
  about: 'Random bytes in bytea, half of them in rows of 1 KB, half in TOAST, 64 KB each.',
  make(gb, seed) {
    const { bytes } = randomSql(seed);
    const rowsPerGb = (blocks: number): number => GB / 2 / (blocks * BLOCK_SQL_BYTES);
    return {
      schema: [
        'CREATE TABLE thumbnails (id bigint NOT NULL, image bytea NOT NULL)',
        'CREATE TABLE files (id bigint NOT NULL, content bytea NOT NULL)',
        // What cannot be made smaller is not tried; dumps are the same either way.
        'ALTER TABLE files ALTER content SET STORAGE EXTERNAL',
      ],
      rows: [
        ...insertRows('thumbnails', scaled(rowsPerGb(THUMBNAIL_BLOCKS), gb), `SELECT i, ${bytes('i', THUMBNAIL_BLOCKS)}`),
        ...insertRows('files', scaled(rowsPerGb(FILE_BLOCKS), gb), `SELECT i, ${bytes(`'f' || i`, FILE_BLOCKS)}`),
      ],
      indexes: ['ALTER TABLE thumbnails ADD PRIMARY KEY (id)', 'ALTER TABLE files ADD PRIMARY KEY (id)'],
    };
  },
};
