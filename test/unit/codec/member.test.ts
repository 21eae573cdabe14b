import { describe, expect, test } from '@jest/globals';
import { execFileSync, spawnSync } from 'node:child_process';
import fc from 'fast-check';

import { decodeMember, encodeMember, MEMBER_HEADER_BYTES, readMemberHeader } from '../../../src/codec/member.ts';

const fields = { kind: 'chunk', continues: false, rows: 3 } as const;

const hasZstd = spawnSync('zstd', ['--version']).error === undefined;
if (!hasZstd) console.warn('not run: the program zstd on members in a row (Debian package zstd)');

describe.each([
  ['gzip', ['gunzip', '-c']],
  ['zstd', ['zstd', '-dc']],
] as const)('a %s member', (codec, [program, flag]) => {
  test('gives back what went in, with its facts in the header', () => {
    fc.assert(
      fc.property(
        fc.uint8Array({ minLength: 0, maxLength: 5000 }),
        fc.boolean(),
        fc.boolean(),
        fc.nat(),
        (raw, continues, several, rows) => {
          const member = encodeMember(codec, { level: 1 }, { kind: 'chunk', continues, rows, several }, raw);
          expect(readMemberHeader(codec, member)).toEqual({
            kind: 'chunk',
            continues,
            length: member.length,
            rawLength: raw.length,
            rows,
            ...(several && { several }),
          });
          expect(Buffer.from(decodeMember(codec, member))).toEqual(Buffer.from(raw));
        },
      ),
    );
  });

  test('is refused with any one bit changed: nothing else than the raw bytes ever comes out', () => {
    const raw = Buffer.from('1\talpha\n2\tbeta\n'.repeat(3));
    const member = encodeMember(codec, { level: 1 }, fields, raw);
    for (let bit = 0; bit < member.length * 8; bit += 1) {
      const damaged = Uint8Array.from(member);
      damaged[bit >> 3]! ^= 1 << (bit & 7);
      let result: Uint8Array | undefined;
      try {
        result = decodeMember(codec, damaged);
      } catch {
        continue;
      }
      // Kind, flags, reserved byte and rows are not the codec's: the manifest's SHA-256 guards them.
      expect(Buffer.from(result)).toEqual(raw);
    }
  });

  test('is refused when it is cut off', () => {
    const member = encodeMember(codec, { level: 1 }, fields, Buffer.alloc(1000, 'abc'));
    for (let length = 0; length < member.length; length += 1) {
      expect(() => decodeMember(codec, member.subarray(0, length))).toThrow();
    }
  });

  (program === 'zstd' && !hasZstd ? test.skip : test)('several in a row are one file for the stock program', () => {
    const parts = ['first\n', 'second\n', ''].map((text) => encodeMember(codec, { level: 1 }, fields, Buffer.from(text)));
    const out = execFileSync(program, [flag], { input: Buffer.concat(parts) });
    expect(out.toString()).toBe('first\nsecond\n');
  });

  test('bytes of another file are no member', () => {
    expect(readMemberHeader(codec, Buffer.alloc(MEMBER_HEADER_BYTES))).toBeUndefined();
    expect(readMemberHeader(codec, Buffer.from('1f8b0800', 'hex'))).toBeUndefined();
  });
});
