import type { PublicKey } from './evidence-key.ts';
import { NO_LINE, sha256Of, signedPart, type LedgerLine } from './ledger-line.ts';

/** Where the ledger is not what it should be. */
export interface Break {
  /** Number of the line; of the last one when something is lacking after it. */
  readonly line: number;
  readonly what: string;
  readonly means: string;
}

/** A clock that is being adjusted goes back by less. */
const CLOCK_TOLERANCE_MS = 1000;

/** How the entries are signed. */
export interface SignatureCounts {
  signed: number;
  unsigned: number;
  /** Signed, but without a public key nobody can tell by whom. */
  unchecked: number;
}

/** Each line by itself and with the one before it: whole, numbered, chained, signed, and not earlier. In the order of the lines. */
export function checkChain(
  lines: readonly LedgerLine[],
  before: LedgerLine | undefined,
  keys: readonly PublicKey[],
): { readonly breaks: Break[]; readonly signatures: SignatureCounts } {
  const breaks: Break[] = [];
  const signatures = { signed: 0, unsigned: 0, unchecked: 0 };
  let signedBefore = before?.entry?.key !== undefined;
  let previous = before;
  for (const line of lines) {
    const found = checkLine(line, previous, signedBefore, keys);
    breaks.push(...found.map(({ what, means }) => ({ line: line.number, what, means })));
    const { entry } = line;
    if (entry?.key === undefined) signatures.unsigned += 1;
    else if (keys.length === 0) signatures.unchecked += 1;
    else signatures.signed += 1;
    signedBefore ||= entry?.key !== undefined;
    previous = line;
  }
  return { breaks, signatures };
}

type Finding = Omit<Break, 'line'>;

function checkLine(
  line: LedgerLine,
  previous: LedgerLine | undefined,
  signedBefore: boolean,
  keys: readonly PublicKey[],
): Finding[] {
  const { entry } = line;
  if (!entry) {
    return [{ what: 'it is no entry', means: 'the line was damaged or cut off, and no interrupted append explains it' }];
  }
  return [
    ...numbering(line, entry.number, previous),
    ...chaining(line, previous),
    ...signature(line, entry.key, signedBefore, keys),
    ...order(line, previous),
    ...(entry.kind === 'anomaly'
      ? [
          {
            what: `it records an anomaly: ${entry.what} (${entry.bytes} bytes, SHA-256 ${entry.sha256})`,
            means: 'somebody, or a damaged file system, changed the end of the ledger before this entry was appended',
          },
        ]
      : []),
  ];
}

function numbering({ number }: LedgerLine, says: number, previous: LedgerLine | undefined): Finding[] {
  // Of a gap only its first line says so; what follows is as far off.
  const off = previous?.entry ? previous.entry.number - previous.number : 0;
  if (says - number === off) return [];
  const lacking = says - number - off;
  return [
    {
      what: `its number is ${says}, but that of the line before makes it ${number + off}`,
      means: lacking > 0 ? `${lacking} line(s) before it were removed` : 'lines were put in, doubled or put into another order',
    },
  ];
}

function chaining({ number, entry }: LedgerLine, previous: LedgerLine | undefined): Finding[] {
  const expected = previous?.sha256 ?? NO_LINE;
  if (entry!.previous === expected) return [];
  return [
    {
      what: `it names ${entry!.previous} as the SHA-256 of the line before, which is ${expected}`,
      means: previous
        ? `line ${number - 1} was changed after this one was written, or one of the two is not where it was written`
        : 'the beginning of the ledger was removed',
    },
  ];
}

function signature(line: LedgerLine, says: string | undefined, signedBefore: boolean, keys: readonly PublicKey[]): Finding[] {
  const part = signedPart(line.bytes);
  if (!part || says === undefined) {
    if (!signedBefore && !part && says === undefined) return [];
    return [{ what: 'it is not signed, though entries are signed', means: 'it was written by somebody without the key' }];
  }
  if (keys.length === 0 || keys.some((key) => key.verifies(part.bytes, part.signature))) return [];
  const known = keys.some(({ fingerprint }) => fingerprint === says);
  return [
    {
      what: known ? 'its signature is not of what it says' : `it is signed with another key (${says})`,
      means: known
        ? 'the line was changed after it was signed'
        : `it was forged, or the key was changed: then verify with both public keys (given: ${keys.map(({ fingerprint }) => fingerprint).join(', ')})`,
    },
  ];
}

function order({ entry }: LedgerLine, previous: LedgerLine | undefined): Finding[] {
  const earlier = previous?.entry?.time;
  if (earlier === undefined || entry!.kind === 'clock set back') return [];
  const back = Date.parse(earlier) - Date.parse(entry!.time);
  if (back <= CLOCK_TOLERANCE_MS) return [];
  return [
    {
      what: `its time ${entry!.time} is before ${earlier}, that of the line before`,
      means: 'it is not where it was written, or a clock was set back while it was written',
    },
  ];
}

/** SHA-256 of the last line, for people to compare. */
export function headOf(lines: readonly LedgerLine[]): { readonly number: number; readonly sha256: string } {
  const last = lines.at(-1);
  return last ? { number: last.number, sha256: sha256Of(last.bytes) } : { number: 0, sha256: NO_LINE };
}
