/** A failure inside a worker, with the server's SQLSTATE when it was the server's. */
export class CopyFailure extends Error {
  readonly code: string | undefined;

  constructor(message: string, code: string | undefined) {
    super(message);
    this.code = code;
  }
}
