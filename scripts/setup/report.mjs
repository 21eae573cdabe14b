// What the set-up says, and how it fails. All of it goes to stderr: stdout belongs to the script that runs afterwards.

export class SetupError extends Error {
  constructor(message, hint) {
    super(message);
    this.hint = hint;
  }
}

export function say(line) {
  process.stderr.write(`setup: ${line}\n`);
}

export function fail(error) {
  if (!(error instanceof SetupError)) throw error;
  say(`failed: ${error.message}`);
  for (const line of error.hint.split('\n')) process.stderr.write(`       ${line}\n`);
  process.exit(50);
}
