import type { Finding } from './check.ts';
import type { SchemaEntry } from './schema-text.ts';

/** Definitions of these may hold passwords: reports say that they differ, not in what. */
const SECRET = new Set(['USER MAPPING', 'SUBSCRIPTION', 'SERVER', 'FOREIGN DATA WRAPPER']);
const SHOWN_CHARACTERS = 200;

/** What of the definitions is missing, is there in addition, or differs, by PostgreSQL's own name for each object. Their order is not looked at. */
export function compareSchema(expected: readonly SchemaEntry[], found: readonly SchemaEntry[]): Finding[] {
  const [left, right] = [byName(expected), byName(found)];
  return [...new Set([...left.keys(), ...right.keys()])].flatMap((name): Finding[] => {
    const [should, is] = [left.get(name) ?? [], right.get(name) ?? []];
    const missing = without(should, is);
    const extra = without(is, should);
    const object = asText(name);
    if (missing.length === 0 && extra.length === 0) return [];
    if (extra.length === 0) return [{ object, message: 'it is missing in the restored database' }];
    if (missing.length === 0) return [{ object, message: 'the restored database has it, the backup has not' }];
    return [{ object, message: `its definition differs${firstDifference(missing[0]!, extra[0]!)}` }];
  });
}

function byName(entries: readonly SchemaEntry[]): Map<string, SchemaEntry[]> {
  const names = new Map<string, SchemaEntry[]>();
  for (const entry of entries) {
    const others = names.get(entry.name);
    if (others) others.push(entry);
    else names.set(entry.name, [entry]);
  }
  return names;
}

/** Those of `entries` whose text none of `others` has, each of which counts for one. */
function without(entries: readonly SchemaEntry[], others: readonly SchemaEntry[]): SchemaEntry[] {
  const left = others.map(({ text }) => text);
  return entries.filter(({ text }) => {
    const at = left.indexOf(text);
    if (at !== -1) left.splice(at, 1);
    return at === -1;
  });
}

function firstDifference(expected: SchemaEntry, found: SchemaEntry): string {
  if (SECRET.has(expected.type)) return '; it may hold a password and is not shown';
  const [left, right] = [expected.text.split('\n'), found.text.split('\n')];
  let line = 0;
  while (line < left.length && left[line] === right[line]) line += 1;
  return `: expected ${show(left[line])}, found ${show(right[line])}`;
}

function show(line: string | undefined): string {
  if (line === undefined) return 'no further line';
  const text = asText(line).trim();
  return `\`${text.length > SHOWN_CHARACTERS ? `${text.slice(0, SHOWN_CHARACTERS)}…` : text}\``;
}

/** Latin-1 characters stand for bytes: as UTF-8 if they are. */
function asText(bytes: string): string {
  const text = Buffer.from(bytes, 'latin1').toString('utf8');
  return text.includes('\ufffd') ? bytes : text;
}
