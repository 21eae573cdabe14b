import { createHash } from 'node:crypto';
import { BEGIN_PREFIX, END_PREFIX } from '../codec/script-comments.ts';

/** The facts in the first line of the head, and where the rest of the text begins; `undefined` when that line is not there. */
export function readBegin(text: Buffer): { readonly facts: unknown; readonly restAt: number } | undefined {
  const end = text.indexOf(0x0a);
  if (end === -1 || !text.subarray(0, BEGIN_PREFIX.length).equals(Buffer.from(BEGIN_PREFIX))) return undefined;
  const facts = parse(text.subarray(BEGIN_PREFIX.length, end));
  return facts === undefined ? undefined : { facts, restAt: end + 1 };
}

/** The facts in the last line of the tail, and where the text before it ends; `undefined` when that line is not there or not whole. */
export function readEnd(text: Buffer): { readonly facts: unknown; readonly endAt: number } | undefined {
  const mark = Buffer.from(`\n${END_PREFIX}`);
  const at = text.lastIndexOf(mark);
  if (at === -1 || text.at(-1) !== 0x0a) return undefined;
  const facts = parse(text.subarray(at + mark.length, -1));
  return facts === undefined ? undefined : { facts, endAt: at };
}

function parse(text: Buffer): unknown {
  try {
    return JSON.parse(text.toString('utf8'));
  } catch {
    return undefined;
  }
}

export interface ScriptHash {
  update(text: Uint8Array): void;
  digest(): string;
}

const NEWLINE = 0x0a;
const COMMANDS = ['\\restrict ', '\\unrestrict '].map((command) => Buffer.from(command));
/** Longer than such a line can be: a command and a key of 63 characters. */
const LINE_BYTES = 256;

/**
 * SHA-256 of a script in which the random keys of `\restrict` and `\unrestrict` (pg_dump since August 2025) are left out, so that two
 * scripts have the same one when nothing else differs. The text may come in any pieces.
 */
export function createScriptHash(): ScriptHash {
  const hash = createHash('sha256');
  let carry: Buffer = Buffer.alloc(0);
  let atLineStart = true;

  function take(text: Buffer): void {
    let from = 0;
    for (let at = atLineStart ? 0 : nextLine(text, 0); at < text.length; at = nextCommand(text, at)) {
      const command = COMMANDS.find((each) => text.subarray(at, at + each.length).equals(each));
      if (!command) continue;
      hash.update(text.subarray(from, at + command.length));
      from = nextLine(text, at);
    }
    hash.update(text.subarray(from));
    atLineStart = text.at(-1) === NEWLINE;
  }

  return {
    update(piece) {
      const text = carry.length === 0 ? Buffer.from(piece.buffer, piece.byteOffset, piece.length) : Buffer.concat([carry, piece]);
      const end = text.lastIndexOf(NEWLINE) + 1;
      const rest = text.length - end;
      const cut = rest > LINE_BYTES ? text.length : end;
      carry = Buffer.from(text.subarray(cut));
      if (cut > 0) take(text.subarray(0, cut));
    },
    digest() {
      if (carry.length > 0) take(carry);
      return hash.digest('hex');
    },
  };
}

function nextLine(text: Buffer, from: number): number {
  const end = text.indexOf(NEWLINE, from);
  return end === -1 ? text.length : end + 1;
}

/** The start of the next line, behind `from`, that begins with a backslash and one of the letters. */
function nextCommand(text: Buffer, from: number): number {
  const found = COMMANDS.map((command) => text.indexOf(Buffer.concat([Buffer.from('\n'), command]), from)).filter(
    (at) => at !== -1,
  );
  return found.length === 0 ? text.length : Math.min(...found) + 1;
}
