import { describe, expect, test } from '@jest/globals';
import { Crc32c } from '../../../src/codec/crc32c.ts';
import { reachOf } from '../../../src/wal/segment-reach.ts';

const PAGE = 8192;
const START = 0x3000000n;
const CONTINUES = 0x0001;
const GIVEN_UP = 0x0008;

/** A segment as a server writes it: pages with their headers, and records one after another. */
class Segment {
  readonly bytes = Buffer.alloc(8 * PAGE);
  at = 40;
  #before = START - 100n;

  /** `rest`: bytes of a record from the segment before. */
  constructor(rest = 0) {
    this.#page(0, rest > 0 ? CONTINUES : 0, rest);
    this.at += Math.ceil(rest / 8) * 8;
  }

  /** Returns where it begins. */
  record(length: number, { before = this.#before, kind = 0, manager = 10 } = {}): number {
    if (this.at % PAGE === 0) this.#next(0, 0);
    const begin = this.at;
    const record = Buffer.alloc(length, 0xab);
    record.writeUInt32LE(length, 0);
    record.writeBigUInt64LE(before, 8);
    record.writeUInt8(kind, 16);
    record.writeUInt8(manager, 17);
    record.writeUInt32LE(new Crc32c().update(record.subarray(24)).update(record.subarray(0, 20)).value, 20);
    for (let done = 0; done < length;) {
      if (done > 0) this.#next(CONTINUES, length - done);
      const here = Math.min(length - done, PAGE - (this.at % PAGE));
      record.copy(this.bytes, this.at, done, done + here);
      done += here;
      this.at += here;
    }
    this.at = Math.ceil(this.at / 8) * 8;
    this.#before = START + BigInt(begin);
    return begin;
  }

  /** The server crashes with the record that begins here half written, and goes on at the next page. */
  crash(begin: number, before: number): void {
    this.at = begin - (begin % PAGE) + PAGE;
    this.bytes.fill(0, this.at);
    this.#next(GIVEN_UP, 0);
    this.#before = START + BigInt(before);
  }

  reach(): number {
    return Number(reachOf(this.bytes, START) - START);
  }

  #next(info: number, rest: number): void {
    this.#page(this.at, info, rest);
    this.at += 24;
  }

  #page(at: number, info: number, rest: number): void {
    this.bytes.writeUInt16LE(0xd116, at);
    this.bytes.writeUInt16LE(at === 0 ? info | 0x0002 : info, at + 2);
    this.bytes.writeBigUInt64LE(START + BigInt(at), at + 8);
    this.bytes.writeUInt32LE(rest, at + 16);
    if (at === 0) this.bytes.writeUInt32LE(PAGE, 36);
  }
}

describe('How far a segment goes', () => {
  test('is behind its last whole record, over pages', () => {
    const segment = new Segment();
    expect(segment.reach()).toBe(40);
    for (const length of [24, 101, 5000, 20_000, 30]) {
      segment.record(length);
      expect(segment.reach()).toBe(segment.at);
    }
    // The end of a page: the next record begins behind the header of the next.
    segment.record(PAGE - (segment.at % PAGE));
    expect(segment.at % PAGE).toBe(0);
    expect(segment.reach()).toBe(segment.at + 24);
  });

  test('is not beyond a record that is not whole, or a page that is another one', () => {
    const segment = new Segment();
    segment.record(100);
    const last = segment.record(20_000);
    segment.bytes[segment.at - 1]! ^= 1;
    expect(segment.reach()).toBe(last);
    segment.bytes[segment.at - 1]! ^= 1;
    expect(segment.reach()).toBe(segment.at);
    segment.bytes.writeBigUInt64LE(START, PAGE + 8);
    expect(segment.reach()).toBe(last);
  });

  test('is not beyond a record that follows another one than it says', () => {
    const segment = new Segment();
    segment.record(100);
    const { at } = segment;
    segment.record(100, { before: START - 500n });
    expect(segment.reach()).toBe(at);
  });

  test('counts the rest of a record from the segment before once a record follows it', () => {
    const segment = new Segment(500);
    expect(segment.reach()).toBe(40);
    segment.record(100);
    expect(segment.reach()).toBe(segment.at);
  });

  test('goes on behind a record that the server gave up in a crash', () => {
    const segment = new Segment();
    const whole = segment.record(100);
    const begun = segment.record(20_000);
    segment.crash(begun, whole);
    expect(segment.reach()).toBe(PAGE + 24);
    segment.record(100);
    expect(segment.reach()).toBe(segment.at);
  });

  test('is its end where the server has ended it early', () => {
    const segment = new Segment();
    segment.record(24, { manager: 0, kind: 0x40 });
    expect(segment.reach()).toBe(segment.bytes.length);
  });

  test('is nothing of a file of another place, and of one that is empty', () => {
    expect(reachOf(new Segment().bytes, START + 0x100_0000n)).toBe(START + 0x100_0028n);
    expect(reachOf(Buffer.alloc(PAGE), 0n)).toBe(40n);
    expect(reachOf(Buffer.alloc(0), START)).toBe(START + 40n);
  });
});
