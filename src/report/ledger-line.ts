import { createHash } from 'node:crypto';
import type { SigningKey } from './evidence-key.ts';
import type { Draft, LedgerEntry } from './ledger-entry.ts';

/** What the first entry names as the one before. */
export const NO_LINE = '0'.repeat(64);
const LF = 0x0a;
/** The signature is always the last field, so that cutting it out needs no JSON parser: see docs/evidence.md. */
const SIGNED = /^(.*),"signature":"([A-Za-z0-9+/=]+)"\}\n$/s;

/** One line of the ledger, line feed included where it has one, and what it says. */
export interface LedgerLine {
  /** Counted from 1. */
  readonly number: number;
  readonly bytes: Buffer;
  /** Of all its bytes. */
  readonly sha256: string;
  /** Undefined for what is no entry. */
  readonly entry: LedgerEntry | undefined;
}

/** The bytes of an entry: JSON on one line; what is signed is the line without its last field, line feed included. */
export function encodeLine(
  draft: Draft,
  place: { readonly number: number; readonly previous: string; readonly time: Date },
  key: SigningKey | undefined,
): Buffer {
  const { number, previous, time } = place;
  const fields = { number, previous, time: time.toISOString(), ...draft, ...(key && { key: key.fingerprint }) };
  const payload = JSON.stringify(fields);
  if (!key) return Buffer.from(`${payload}\n`);
  const signature = key.sign(Buffer.from(`${payload}\n`));
  return Buffer.from(`${payload.slice(0, -1)},"signature":"${signature}"}\n`);
}

/** The bytes that were signed, and the signature; undefined for a line without one. */
export function signedPart(line: Buffer): { readonly bytes: Buffer; readonly signature: string } | undefined {
  // Byte for byte, whatever they are.
  const match = SIGNED.exec(line.toString('latin1'));
  return match ? { bytes: Buffer.from(`${match[1]!}}\n`, 'latin1'), signature: match[2]! } : undefined;
}

export function sha256Of(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}

/** The bytes in lines, the last of which may lack its line feed. */
export function splitLines(bytes: Buffer, firstNumber = 1): LedgerLine[] {
  const lines: LedgerLine[] = [];
  for (let start = 0, number = firstNumber; start < bytes.length; number += 1) {
    const at = bytes.indexOf(LF, start);
    const end = at < 0 ? bytes.length : at + 1;
    const line = bytes.subarray(start, end);
    lines.push({ number, bytes: line, sha256: sha256Of(line), entry: at < 0 ? undefined : entryOf(line) });
    start = end;
  }
  return lines;
}

function entryOf(line: Buffer): LedgerEntry | undefined {
  try {
    const value = JSON.parse(line.toString('utf8')) as LedgerEntry | null;
    const whole =
      Number.isInteger(value?.number) &&
      typeof value?.previous === 'string' &&
      typeof value.kind === 'string' &&
      !Number.isNaN(Date.parse(value.time));
    return whole ? value : undefined;
  } catch {
    return undefined;
  }
}
