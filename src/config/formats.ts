/** What a setting may be. Values from a file come as JSON, those from the environment as text. */
export interface Format {
  /** Completes the sentence "expected …". */
  readonly expected: string;
  readonly fromText: (text: string) => unknown;
  readonly valid: (value: unknown) => boolean;
}

const asIs = (text: string): unknown => text;
const isText = (value: unknown): value is string => typeof value === 'string';

/** Text that is left to others to judge, or nothing. */
export function text(expected: string, pattern = /^[^\0\n]*$/): Format {
  return { expected, fromText: asIs, valid: (value) => isText(value) && pattern.test(value) };
}

export function choice(...values: readonly string[]): Format {
  return {
    expected: `one of ${values.join(', ')}`,
    fromText: asIs,
    valid: (value) => isText(value) && values.includes(value),
  };
}

export function integer(from: number, to: number, unit = ''): Format {
  return {
    expected: `a whole number${unit === '' ? '' : ` of ${unit}`} from ${from} to ${to}`,
    fromText: toNumber,
    valid: (value) => Number.isInteger(value) && Number(value) >= from && Number(value) <= to,
  };
}

/** A whole number, or `auto` for what the machine suggests. */
export function autoOr(inner: Format): Format {
  return {
    expected: `${inner.expected}, or auto`,
    fromText: (value) => (value === 'auto' ? value : inner.fromText(value)),
    valid: (value) => value === 'auto' || inner.valid(value),
  };
}

export const flag: Format = {
  expected: 'true or false',
  fromText: (value) => {
    if (/^(true|yes|on|1)$/i.test(value)) return true;
    return /^(false|no|off|0)$/i.test(value) ? false : value;
  },
  valid: (value) => typeof value === 'boolean',
};

/** A list: an array in a file, text with a separator in the environment. */
export function list(of: string, separator: string, item: (value: string) => boolean): Format {
  return {
    expected: `a list of ${of} (in a variable: separated by "${separator}")`,
    fromText: (value) =>
      value
        .split(separator)
        .map((part) => part.trim())
        .filter((part) => part !== ''),
    valid: (value) => Array.isArray(value) && value.every((part) => isText(part) && item(part)),
  };
}

export const address: Format = {
  expected: 'the address of a server, http://… or https://…',
  fromText: asIs,
  valid: (value) => isText(value) && (value === '' || (/^https?:\/\//.test(value) && URL.canParse(value))),
};

export const timeZone: Format = {
  expected: 'the name of a time zone, such as UTC or Europe/Berlin',
  fromText: asIs,
  valid: (value) => isText(value) && isTimeZone(value),
};

function isTimeZone(name: string): boolean {
  try {
    new Intl.DateTimeFormat('en', { timeZone: name });
    return true;
  } catch {
    return false;
  }
}

// node-cron's fields, an optional one for seconds first: https://nodecron.com/cron-syntax.html
const CRON_FIELDS: readonly (readonly [from: number, to: number, names: readonly string[]])[] = [
  [0, 59, []],
  [0, 59, []],
  [0, 23, []],
  [1, 31, []],
  [1, 12, ['jan', 'feb', 'mar', 'apr', 'may', 'jun', 'jul', 'aug', 'sep', 'oct', 'nov', 'dec']],
  [0, 7, ['sun', 'mon', 'tue', 'wed', 'thu', 'fri', 'sat']],
];

export const cron: Format = {
  expected: 'a cron expression of five fields (minute hour day month weekday), or six with seconds first',
  fromText: asIs,
  valid: (value) => {
    if (!isText(value)) return false;
    const fields = value.trim().split(/\s+/);
    if (fields.length !== 5 && fields.length !== 6) return false;
    return fields.every((field, index) => isCronField(field, CRON_FIELDS[index + 6 - fields.length]!));
  },
};

function isCronField(field: string, [from, to, names]: (typeof CRON_FIELDS)[number]): boolean {
  const numberOf = (part: string): number => {
    const name = names.indexOf(part.toLowerCase().slice(0, 3));
    if (name >= 0) return name + (from === 1 ? 1 : 0);
    return /^\d+$/.test(part) ? Number(part) : Number.NaN;
  };
  const inside = (value: number): boolean => value >= from && value <= to;
  return field.split(',').every((part) => {
    const match = /^(\*|[^-/*]+)(?:-([^-/*]+))?(?:\/([1-9]\d*))?$/.exec(part);
    if (match === null) return false;
    const [, first = '', last] = match;
    if (first === '*') return last === undefined;
    return inside(numberOf(first)) && (last === undefined || (inside(numberOf(last)) && numberOf(last) >= numberOf(first)));
  });
}

function toNumber(value: string): unknown {
  return /^\s*[+-]?\d+\s*$/.test(value) ? Number(value) : value;
}
