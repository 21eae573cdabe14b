/** Where something other than plain SQL begins: quotes, a comment, or the tag of a dollar quote. */
const OPENING = /[eE]'|'|"|--|\/\*|\$(?:[A-Za-z_\u0080-\u00ff][\w\u0080-\u00ff]*)?\$|[A-Za-z_\u0080-\u00ff][\w$\u0080-\u00ff]*/g;
const CLOSING = { "'": /'/g, "e'": /\\[^]|'/g, '"': /"/g, '/*': /\/\*|\*\//g } as const;
/** Since then a backslash in plain quotes is like that in E''. */
const BACKSLASHES = /^SET standard_conforming_strings = (on|off);/;

/** Follows quotes and comments through a script as psql does, so that a line within a quoted text is known as one. */
export class SqlQuotes {
  /** What is open: a key of CLOSING, or the tag of a dollar quote. */
  #open: string | undefined;
  #depth = 0;
  #backslashes = false;

  /** Whether what comes next is within a quoted text or a comment. */
  get within(): boolean {
    return this.#open !== undefined;
  }

  /** Takes the next line, or the next part of one. */
  take(text: string): void {
    const setting = this.within ? undefined : BACKSLASHES.exec(text)?.[1];
    if (setting !== undefined) this.#backslashes = setting === 'off';
    let at = 0;
    while (at < text.length) at = this.#open === undefined ? this.#outside(text, at) : this.#inside(text, at, this.#open);
  }

  #outside(text: string, from: number): number {
    OPENING.lastIndex = from;
    const match = OPENING.exec(text);
    if (!match) return text.length;
    const [mark] = match;
    if (mark === '--') {
      const end = text.indexOf('\n', match.index);
      return end === -1 ? text.length : end + 1;
    }
    // A name: it may hold a dollar sign, which then begins no quote.
    if (/^[^'"/$]+$/.test(mark) || /^[A-Za-z_\u0080-\u00ff][^']*$/.test(mark)) return OPENING.lastIndex;
    this.#open = mark === "'" && this.#backslashes ? "e'" : mark.toLowerCase() === "e'" ? "e'" : mark;
    this.#depth = 1;
    return OPENING.lastIndex;
  }

  #inside(text: string, from: number, open: string): number {
    if (open.startsWith('$')) {
      const end = text.indexOf(open, from);
      if (end === -1) return text.length;
      this.#open = undefined;
      return end + open.length;
    }
    const closing = CLOSING[open as keyof typeof CLOSING];
    closing.lastIndex = from;
    for (let match = closing.exec(text); match; match = closing.exec(text)) {
      if (match[0].startsWith('\\')) continue;
      // Comments nest; a doubled quote is an end and a beginning.
      this.#depth += match[0] === '/*' ? 1 : -1;
      if (this.#depth > 0) continue;
      this.#open = undefined;
      return closing.lastIndex;
    }
    return text.length;
  }
}
