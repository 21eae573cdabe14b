import { EventEmitter } from 'node:events';
import { describe, expect, test } from '@jest/globals';
import type { Connection } from 'pg';
import { BaseBackupQuery } from '../../../src/postgres/base-backup-query.ts';

/** A message of the server. */
function message(kind: string, body: string | Buffer = ''): Buffer {
  const bytes = Buffer.from(body);
  const header = Buffer.alloc(5, kind);
  header.writeUInt32BE(4 + bytes.length, 1);
  return Buffer.concat([header, bytes]);
}

const ROWS = [[['0/2000028', '1']], [[null, null, '9']], [['0/3000000', '1']]];

/** Lets the query read these bytes in pieces of a length, and says what came out of it. */
async function read(bytes: Buffer, pieces: number, oneStream: boolean) {
  const files: [string, string][] = [];
  const passed: number[] = [];
  const stream = Object.assign(new EventEmitter(), { destroy() {}, pause() {}, resume() {} });
  const query = new BaseBackupQuery(
    'BASE_BACKUP',
    oneStream,
    {
      begin: (name) => void files.push([name, '']),
      write(part) {
        files.at(-1)![1] += Buffer.from(part).toString();
        return undefined;
      },
    },
    (sent) => void passed.push(sent),
  );
  const results = ROWS.values();
  // The driver parses what is handed to it: here each message is one letter.
  stream.on('data', (piece: Buffer) => {
    const kind = String.fromCharCode(piece[0]!);
    if (kind === 'T') {
      query.handleRowDescription();
      for (const fields of results.next().value!) query.handleDataRow({ fields });
    } else if (kind === 'Z') query.handleReadyForQuery();
    else throw new Error(`the driver was given ${kind}`);
  });
  query.submit({ stream, query() {} } as unknown as Connection);
  for (let at = 0; at < bytes.length; at += pieces) stream.emit('data', bytes.subarray(at, at + pieces));
  const facts = await query.done;
  return { files, facts, sent: passed.at(-1) };
}

describe('what the server sends for a base backup', () => {
  const facts = { startLsn: '0/2000028', timeline: 1, endLsn: '0/3000000', tablespaces: [] };
  const newer = Buffer.concat([
    ...[message('T'), message('T'), message('H', 'xxx')],
    ...[
      message('d', 'nbase.tar\0/place\0'),
      message('d', 'dabc'),
      message('d', 'pxxxxxxxx'),
      message('d', 'ddef'),
      message('d', 'd'),
    ],
    ...[message('d', 'm'), message('d', 'd{}'), message('c'), message('T'), message('Z', 'I')],
  ]);
  const older = Buffer.concat([
    ...[message('T'), message('T')],
    ...[message('H', 'xxx'), message('d', 'dabc'), message('d', 'nef'), message('c')],
    ...[message('H', 'xxx'), message('d', '{}'), message('c'), message('T'), message('Z', 'I')],
  ]);

  test.each(Array.from({ length: 40 }, (_, at) => at + 1))('is understood in pieces of %d bytes', async (pieces) => {
    expect(await read(newer, pieces, true)).toEqual({
      ...{ facts, sent: 8 },
      files: [
        ['base.tar', 'abcdef'],
        ['backup_manifest', '{}'],
      ],
    });
    const end = '\0'.repeat(1024);
    expect((await read(older, pieces, false)).files).toEqual([
      ['base.tar', `dabcnef${end}`],
      ['backup_manifest', '{}'],
    ]);
  });

  test('is refused when it is of a kind that is not known', async () => {
    await expect(
      read(Buffer.concat([message('T'), message('T'), message('H', 'xxx'), message('d', '?')]), 7, true),
    ).rejects.toThrow('is not known: "?"');
  });
});
