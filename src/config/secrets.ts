import { inspect } from 'node:util';

const MASK = '***';

/** Shorter ones would turn up by chance in every second word. */
const SHORTEST = 4;

/**
 * Makes an object show a mask for some of its properties wherever it is printed: JSON.stringify, util.inspect, console.
 * The values themselves stay, so that it can be copied, spread and sent to a worker thread as it is. (Such copies are not
 * masked any more: that nothing of them gets into a log is what {@link createRedactor} is for.)
 */
export function maskWhenShown<T extends object>(object: T, ...secret: readonly (keyof T)[]): T {
  const shown = (): object => {
    const copy = { ...object } as Record<keyof T, unknown>;
    for (const name of secret) if (copy[name] !== undefined) copy[name] = MASK;
    return copy;
  };
  Object.defineProperty(object, 'toJSON', { value: shown });
  Object.defineProperty(object, inspect.custom, { value: shown });
  return object;
}

/** A function that replaces every occurrence of a secret in a text. */
export function createRedactor(secrets: readonly string[]): (text: string) => string {
  const wanted = secrets
    .filter((secret) => secret.length >= SHORTEST)
    .flatMap((secret) => [secret, encodeURIComponent(secret)])
    // The longest first: one secret may be a part of another.
    .sort((a, b) => b.length - a.length);
  return (text) => wanted.reduce((result, secret) => result.replaceAll(secret, MASK), text);
}
