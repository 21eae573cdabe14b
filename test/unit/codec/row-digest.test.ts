import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { addDigests, createRowDigest, EMPTY_DIGEST } from '../../../src/codec/row-digest.ts';
import { murmur128, referenceDigest } from '../../support/row-digest-reference.ts';

const row = fc.uint8Array({ maxLength: 70 }).map((bytes) => Buffer.from(bytes.map((byte) => (byte === 10 ? 11 : byte))));

function digestOf(text: Buffer, step: number): { rows: number; digest: string } {
  const digest = createRowDigest();
  for (let at = 0; at < text.length; at += step) digest.update(text.subarray(at, at + step));
  return digest.result();
}

const lines = (rows: readonly Buffer[]): Buffer => Buffer.concat(rows.flatMap((r) => [r, Buffer.from('\n')]));

describe('the row digest', () => {
  test('the reference is MurmurHash3_x64_128, by its published test values', () => {
    expect(murmur128(Buffer.from(''))).toBe(0n);
    // "The quick brown fox jumps over the lazy dog", seed 0: e34bbc7bbc071b6c 7a433ca9c49a9347 (h1, h2).
    expect(murmur128(Buffer.from('The quick brown fox jumps over the lazy dog')).toString(16)).toBe(
      '7a433ca9c49a9347e34bbc7bbc071b6c',
    );
  });

  test('equals the reference for any rows, however the text is cut', () => {
    fc.assert(
      fc.property(fc.array(row, { maxLength: 30 }), fc.integer({ min: 1, max: 50 }), (rows, step) => {
        expect(digestOf(lines(rows), step)).toEqual({ rows: rows.length, digest: referenceDigest(rows) });
      }),
    );
  });

  test('does not depend on the order of the rows, and adds over parts', () => {
    fc.assert(
      fc.property(fc.array(row, { minLength: 1, maxLength: 20 }), fc.nat(), (rows, seed) => {
        const cut = seed % rows.length;
        const [a, b] = [rows.slice(0, cut), rows.slice(cut)];
        const whole = digestOf(lines(rows), 1000).digest;
        expect(digestOf(lines([...b, ...a]), 1000).digest).toBe(whole);
        expect(addDigests(referenceDigest(a), referenceDigest(b))).toBe(whole);
      }),
    );
  });

  test('changes with any one bit, with two fields swapped, with a row moved to another line, with a row twice', () => {
    const rows = ['1\talpha\tbeta', '2\tgamma\tdelta'].map((r) => Buffer.from(r));
    const digest = referenceDigest(rows);
    const others = [
      ['1\tbeta\talpha', '2\tgamma\tdelta'],
      ['1\talpha\tdelta', '2\tgamma\tbeta'],
      ['1\talpha\tbeta', '2\tgamma\tdelta', '2\tgamma\tdelta'],
      ['1\talpha\tbeta'],
      ['1\talpha', '\tbeta', '2\tgamma\tdelta'],
    ];
    for (const other of others) expect(digestOf(lines(other.map((r) => Buffer.from(r))), 7).digest).not.toBe(digest);
    const text = lines(rows);
    for (let bit = 0; bit < text.length * 8; bit += 1) {
      const flipped = Buffer.from(text);
      flipped[bit >> 3] = flipped[bit >> 3]! ^ (1 << (bit & 7));
      let result: string;
      try {
        result = digestOf(flipped, 9).digest;
      } catch {
        continue; // the last line end itself was hit: refused
      }
      expect(result).not.toBe(digest);
    }
  });

  test('rows longer than the kernel keeps are digested as a whole', () => {
    const rows = [Buffer.alloc(3_000_007, 'abcdefg'), Buffer.from('x'), Buffer.alloc(1_048_576, 'z')];
    expect(digestOf(lines(rows), 300_001)).toEqual({ rows: 3, digest: referenceDigest(rows) });
  });

  test('a table without rows has the digest zero; text that ends in mid-row is refused', () => {
    expect(digestOf(Buffer.alloc(0), 1)).toEqual({ rows: 0, digest: EMPTY_DIGEST });
    expect(() => digestOf(Buffer.from('1\tcut'), 3)).toThrow('mid-row');
  });
});
