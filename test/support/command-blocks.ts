import { readFile } from 'node:fs/promises';

/** A block of commands in a document, and what the document says that they print. */
export interface CommandBlock {
  /** Section and number in it, from 1: `Lost table 2`. */
  readonly name: string;
  readonly code: string;
  /** Lines that must come in this order; `…` stands for anything. */
  readonly expected: readonly string[];
}

/** The ```sh blocks of a Markdown document by section (`##`), each with the ```text block that follows it, if one does. */
export async function commandBlocks(document: string | URL): Promise<CommandBlock[]> {
  const blocks: CommandBlock[] = [];
  for (const part of (await readFile(document, 'utf8')).split(/^## /m).slice(1)) {
    const title = part.slice(0, part.indexOf('\n'));
    const found = part.matchAll(/^```sh\n([^]*?)^```\n(?:\n```text\n([^]*?)^```\n)?/gm);
    let number = 0;
    for (const [, code, text] of found) {
      blocks.push({
        name: `${title} ${(number += 1)}`,
        code: code!,
        expected: text?.split('\n').filter((line) => line !== '') ?? [],
      });
    }
  }
  return blocks;
}

/** The first expected line that is not in the output, after those before it; undefined when all are. */
export function missingLine({ expected }: CommandBlock, output: string): string | undefined {
  let rest = output.split('\n');
  for (const line of expected) {
    const pattern = new RegExp(
      line
        .trim()
        .split(/ *… */)
        .map((text) => text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&'))
        .join('.*'),
    );
    const at = rest.findIndex((each) => pattern.test(each));
    if (at === -1) return line;
    rest = rest.slice(at + 1);
  }
  return undefined;
}
