/** Where text goes; a stream of this process, or a test's. */
export interface Screen {
  write(text: string): unknown;
  readonly isTTY?: boolean;
  readonly columns?: number;
}

/** What a command says: results on standard output, progress and errors on standard error. */
export interface Terminal {
  readonly stdout: Screen;
  readonly stderr: Screen;
}

/** Text from a server or a target may hold anything: what would move the cursor or colour the screen is shown as `?`. */
export function printable(text: string): string {
  return text.replace(/[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/g, '?');
}

export function printLines(screen: Screen, lines: readonly string[]): void {
  screen.write(lines.map((line) => `${printable(line)}\n`).join(''));
}

export function printJson(screen: Screen, value: unknown): void {
  screen.write(`${JSON.stringify(value, null, 2)}\n`);
}
