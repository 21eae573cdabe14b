import { quoteIdentifier, quoteLiteral } from './connection.ts';
import type { DatabaseProperties } from './database-properties.ts';

/**
 * `CREATE DATABASE` for an empty database that takes the same data: encoding, locale, owner and tablespace of `properties`,
 * in the words of the target server (`server_version_num`). From template0, because template1 may hold anything.
 */
export function createDatabaseStatement(name: string, properties: DatabaseProperties, serverVersion: number): string {
  const { localeProvider, locale } = properties;
  const parts = ['TEMPLATE template0', `ENCODING ${quoteLiteral(properties.encoding)}`];
  if (serverVersion >= 150000) parts.push(`LOCALE_PROVIDER ${localeProvider}`);
  parts.push(`LC_COLLATE ${quoteLiteral(properties.collate)}`, `LC_CTYPE ${quoteLiteral(properties.ctype)}`);
  if (localeProvider === 'icu' && locale !== undefined) parts.push(`ICU_LOCALE ${quoteLiteral(locale)}`);
  if (localeProvider === 'icu' && properties.icuRules !== undefined) parts.push(`ICU_RULES ${quoteLiteral(properties.icuRules)}`);
  if (localeProvider === 'builtin' && locale !== undefined) parts.push(`BUILTIN_LOCALE ${quoteLiteral(locale)}`);
  parts.push(`OWNER ${quoteIdentifier(properties.owner)}`);
  if (properties.tablespace !== 'pg_default') parts.push(`TABLESPACE ${quoteIdentifier(properties.tablespace)}`);
  return `CREATE DATABASE ${quoteIdentifier(name)} ${parts.join(' ')}`;
}
