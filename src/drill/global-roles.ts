/** A role as the server's globals describe it: what matters for grants and ownership. */
export interface GlobalRole {
  readonly name: string;
  readonly superuser: boolean;
  readonly inherit: boolean;
}

export interface Membership {
  readonly role: string;
  readonly member: string;
  /** `ADMIN OPTION`, `INHERIT FALSE`, `SET TRUE`: the words of the grant. */
  readonly options: readonly string[];
}

export interface GlobalRoles {
  readonly roles: readonly GlobalRole[];
  readonly memberships: readonly Membership[];
}

const IDENTIFIER = String.raw`("(?:[^"]|"")+"|[A-Za-z_\u0080-\uffff][\w$\u0080-\uffff]*)`;
const CREATE_ROLE = new RegExp(String.raw`^CREATE ROLE ${IDENTIFIER}$`, 'u');
const ALTER_ROLE = new RegExp(String.raw`^ALTER ROLE ${IDENTIFIER} WITH (.*)$`, 'su');
const GRANT_ROLE = new RegExp(
  String.raw`^GRANT ${IDENTIFIER} TO ${IDENTIFIER}(?: WITH (.+?))?(?: GRANTED BY ${IDENTIFIER})?$`,
  'su',
);
const OPTIONS = /^(?:ADMIN (?:OPTION|TRUE|FALSE)|INHERIT (?:OPTION|TRUE|FALSE)|SET (?:OPTION|TRUE|FALSE))$/;

/**
 * Roles and memberships out of the text of `pg_dumpall --globals-only`. Passwords, settings and limits are left where they are, and
 * nothing of the text is ever run.
 */
export function readGlobalRoles(sql: string): GlobalRoles {
  const roles = new Map<string, GlobalRole>();
  const memberships: Membership[] = [];
  for (const statement of statementsOf(sql)) {
    const created = CREATE_ROLE.exec(statement);
    if (created) roles.set(nameOf(created[1]!), { name: nameOf(created[1]!), superuser: false, inherit: true });
    const altered = ALTER_ROLE.exec(statement);
    if (altered) {
      const name = nameOf(altered[1]!);
      const words = new Set(altered[2]!.replace(/'(?:[^']|'')*'/g, '').split(/\s+/));
      roles.set(name, { name, superuser: words.has('SUPERUSER'), inherit: !words.has('NOINHERIT') });
    }
    const granted = GRANT_ROLE.exec(statement);
    if (granted) {
      const options = (granted[3]?.split(/\s*,\s*/) ?? []).filter((option) => OPTIONS.test(option));
      memberships.push({ role: nameOf(granted[1]!), member: nameOf(granted[2]!), options });
    }
  }
  return { roles: [...roles.values()], memberships };
}

/** The script cut at its semicolons, without comments, blank space around, and psql's own lines. */
function statementsOf(sql: string): string[] {
  const statements: string[] = [];
  let current = '';
  for (const [token] of sql.matchAll(/--[^\n]*|"(?:[^"]|"")*"|'(?:[^']|'')*'|^\\[^\n]*|;|[^;"'\\-]+|[-\\]/gm)) {
    if (token.startsWith('--') || /^\\./.test(token)) continue;
    if (token !== ';') current += token;
    else {
      statements.push(current.trim());
      current = '';
    }
  }
  return statements;
}

function nameOf(identifier: string): string {
  return identifier.startsWith('"') ? identifier.slice(1, -1).replaceAll('""', '"') : identifier.toLowerCase();
}
