import { expect, test } from '@jest/globals';
import { isTemporary, temporaryKey } from '../../../src/storage/storage-key.ts';

test('a temporary key is in the folder of its key, hidden, and told apart', () => {
  expect(temporaryKey('full/x.sql.gz')).toMatch(/^full\/\.x\.sql\.gz\.[0-9a-f]{16}\.partial$/);
  expect(temporaryKey('x')).toMatch(/^\.x\./);
  expect(isTemporary(temporaryKey('full/x.sql.gz'))).toBe(true);
  expect(isTemporary('full/x.partial')).toBe(false);
});

test.each(['x'.repeat(255), '€'.repeat(85), `x${'😀'.repeat(63)}`])(
  'no temporary name is too long for a file system (%s)',
  (name) => {
    expect(Buffer.byteLength(name)).toBeGreaterThan(250);
    const temporary = temporaryKey(`full/${name}`).slice('full/'.length);
    expect(Buffer.byteLength(temporary)).toBeGreaterThan(250);
    expect(Buffer.byteLength(temporary)).toBeLessThanOrEqual(255);
    expect(temporary).not.toContain('\uFFFD');
    expect(isTemporary(temporary)).toBe(true);
  },
);
