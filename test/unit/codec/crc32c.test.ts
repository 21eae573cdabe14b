import { describe, expect, test } from '@jest/globals';
import { Crc32c } from '../../../src/codec/crc32c.ts';

function sum(...parts: readonly Uint8Array[]): string {
  const crc = new Crc32c();
  for (const part of parts) crc.update(part);
  return crc.digest('hex');
}

/** Bit by bit. */
function slow(bytes: Uint8Array): string {
  let crc = 0xffff_ffff;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit += 1) crc = (crc >>> 1) ^ ((crc & 1) === 1 ? 0x82f6_3b78 : 0);
  }
  const result = Buffer.alloc(4);
  result.writeInt32LE(~crc);
  return result.toString('hex');
}

describe('CRC-32C', () => {
  test('is that of its definition, lowest byte first', () => {
    expect(sum(Buffer.from('123456789'))).toBe('839206e3');
    expect(sum()).toBe('00000000');
  });

  test('is the same in whatever pieces the bytes come', () => {
    const bytes = Buffer.from(Array.from({ length: 100 }, (_, at) => (at * 167) % 256));
    for (let length = 0; length <= bytes.length; length += 1) {
      const [head, tail] = [bytes.subarray(0, length), bytes.subarray(length)];
      expect(sum(head)).toBe(slow(head));
      expect(sum(head, tail)).toBe(slow(bytes));
    }
  });
});
