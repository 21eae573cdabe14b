/** How rows look as text, whatever the server, the database or the role has set (docs/backup-format.md): the same in every dump and comparison. */
export const ROW_TEXT = {
  DateStyle: 'ISO, YMD',
  IntervalStyle: 'postgres',
  extra_float_digits: '3',
  TimeZone: 'UTC',
  bytea_output: 'hex',
  search_path: '',
  lc_monetary: 'C',
  xmloption: 'content',
  row_security: 'off',
  quote_all_identifiers: 'off',
  client_encoding: 'UTF8',
} as const;

/** Sessions that work through a database take the time they need. PostgreSQL 17 and later have `transaction_timeout` as well. */
export const NO_TIME_LIMITS = {
  statement_timeout: '0',
  lock_timeout: '0',
  idle_in_transaction_session_timeout: '0',
} as const;
