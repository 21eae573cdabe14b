import { alertFailed } from './notifier.ts';

export interface Post {
  /** How the receiver is called in messages. */
  readonly name: string;
  readonly url: string;
  readonly body: string;
  readonly headers: Readonly<Record<string, string>>;
}

/** How much of an answer is read and repeated in a message. */
const ANSWER_CHARACTERS = 300;
/** Answers that ask to come back later. */
const LATER = [408, 425, 429];

/** Posts to a web server. Throws `ALERT_FAILED` unless it answers with 2xx. Redirects are not followed: the body would not be. */
export async function post({ name, url, body, headers }: Post, signal: AbortSignal): Promise<void> {
  const to = `${name} (${new URL(url).host})`;
  let response: Response;
  let answer: string;
  try {
    response = await fetch(url, {
      method: 'POST',
      body,
      headers: { 'User-Agent': 'db-backup', ...headers },
      redirect: 'manual',
      signal,
    });
    answer = await beginning(response);
  } catch (error) {
    signal.throwIfAborted();
    throw unreachable(to, error);
  }
  if (response.ok) return;
  const said = answer.trim() === '' ? '' : `: ${answer.trim()}`;
  const moved = response.status >= 300 && response.status < 400;
  throw alertFailed(to, `it answered ${response.status}${said}`, {
    retryable: response.status >= 500 || LATER.includes(response.status),
    ...(moved && { hint: 'It has moved: configure its new address.' }),
    ...(response.status >= 400 && response.status < 500 && { hint: 'Check the address and the key that are configured for it.' }),
  });
}

/** Not the whole: an answer may never end. */
async function beginning(response: Response): Promise<string> {
  if (!response.body) return '';
  const decoder = new TextDecoder();
  let text = '';
  // Leaving the loop cancels the rest.
  for await (const chunk of response.body) {
    text += decoder.decode(chunk as Uint8Array, { stream: true });
    if (text.length >= ANSWER_CHARACTERS) break;
  }
  return text.slice(0, ANSWER_CHARACTERS);
}

/** `fetch failed` is all that fetch says itself; the reason is its cause. */
function unreachable(to: string, error: unknown): Error {
  const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error;
  const { code = '', message } = cause instanceof Error ? (cause as NodeJS.ErrnoException) : { message: String(cause) };
  // Only certificates: a handshake that breaks off may be a network that breaks off.
  if (/CERT|SELF_SIGNED|ALTNAME|UNABLE_TO_(GET|VERIFY)/.test(code)) {
    return alertFailed(to, `its certificate is not trusted (${message})`, {
      cause: error,
      retryable: false,
      hint: 'Correct the address, or name the authority that signed it in a file: NODE_EXTRA_CA_CERTS=/path/ca.pem',
    });
  }
  return alertFailed(to, message === '' ? code : message, { cause: error, retryable: true });
}
