import { createHash } from 'node:crypto';
import { crc32 } from 'node:zlib';
import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { createPartDigest, MAX_PARTS, partSizeFor } from '../../../src/storage/s3-parts.ts';

const MIB = 1024 ** 2;
const GIB = 1024 ** 3;
const TIB = 1024 ** 4;

describe('the part size', () => {
  test('is 8 MiB for what fits', () => {
    expect(partSizeFor({ size: 0 })).toBe(8 * MIB);
    expect(partSizeFor({ size: 78 * GIB })).toBe(8 * MIB);
  });

  test('reaches 5 TiB and stays below the largest part that S3 takes', () => {
    expect(partSizeFor({ size: 5 * TIB })).toBe(525 * MIB);
    expect(partSizeFor({ expectedSize: 5 * TIB })).toBeLessThan(5 * GIB);
  });

  test('is always a whole number of MiB that fits the content into 10,000 parts', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 5 * TIB }), (size) => {
        const part = partSizeFor({ size });
        expect(part % MIB).toBe(0);
        expect(Math.ceil(size / part)).toBeLessThanOrEqual(MAX_PARTS);
        expect(part === 8 * MIB || Math.ceil(size / (part - MIB)) > MAX_PARTS).toBe(true);
      }),
    );
  });

  test('leaves an estimate room to be wrong by half', () => {
    expect(partSizeFor({ expectedSize: 1 * TIB })).toBe(partSizeFor({ size: 2 * TIB }));
  });
});

describe('the digest of parts', () => {
  const base64 = (...values: number[]) => {
    const bytes = Buffer.alloc(values.length * 4);
    values.forEach((value, index) => bytes.writeUInt32BE(value, index * 4));
    return bytes;
  };
  const digest = createPartDigest();
  digest.update(Buffer.from('one'));
  digest.update(Buffer.from(' part'));
  const first = digest.endPart();
  digest.update(Buffer.from('another'));
  digest.endPart();

  test('gives each part’s CRC-32 as S3 writes it', () => {
    expect(first).toBe(base64(crc32('one part')).toString('base64'));
  });

  test('knows size and SHA-256 of the whole', () => {
    expect(digest.size).toBe(15);
    expect(digest.sha256()).toBe(createHash('sha256').update('one partanother').digest('hex'));
  });

  test('matches the composite of the parts or the checksum of the whole, and nothing else', () => {
    const composite = base64(crc32(base64(crc32('one part'), crc32('another')))).toString('base64');
    expect(digest.matches(`${composite}-2`)).toBe(true);
    expect(digest.matches(base64(crc32('one partanother')).toString('base64'))).toBe(true);
    expect(digest.matches(`${composite}-3`)).toBe(false);
    expect(digest.matches(composite)).toBe(false);
    expect(digest.matches('AAAAAA==')).toBe(false);
  });
});
