/**
 * Extensions that work, or can be created, only when their library is loaded at the start of the server: "Installation" in the
 * documentation of each. What reads "must be loaded via shared_preload_libraries" in its library is found by that and need not be here.
 */
const PRELOADED: Readonly<Record<string, string>> = {
  // https://github.com/citusdata/pg_cron, https://github.com/citusdata/citus (first of all), https://docs.timescale.com
  citus: 'citus',
  pg_cron: 'pg_cron',
  timescaledb: 'timescaledb',
  // https://www.postgresql.org/docs/current/pgstatstatements.html
  pg_stat_statements: 'pg_stat_statements',
  // https://github.com/pgaudit/pgaudit, https://github.com/pgaudit/set_user
  pgaudit: 'pgaudit',
  set_user: 'set_user',
  // https://github.com/supabase/pg_net, https://github.com/michelp/pgsodium
  pg_net: 'pg_net',
  pgsodium: 'pgsodium',
  // https://github.com/2ndQuadrant/pglogical, https://github.com/cybertec-postgresql/pg_squeeze
  pglogical: 'pglogical',
  pg_squeeze: 'pg_squeeze',
  // https://github.com/postgrespro/pg_wait_sampling, https://github.com/powa-team
  pg_wait_sampling: 'pg_wait_sampling',
  pg_stat_kcache: 'pg_stat_kcache',
  pg_qualstats: 'pg_qualstats',
};

/** Keeps what such a library does by itself from happening in a drill: jobs, requests to other machines, reports home. */
const QUIET: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  // Its jobs connect through libpq: to nowhere.
  pg_cron: { 'cron.host': '/nonexistent', 'cron.launch_active_jobs': 'off', 'cron.max_running_jobs': '0' },
  pg_net: { 'pg_net.database_name': 'postgres' },
  timescaledb: { 'timescaledb.telemetry_level': 'off' },
};

/** Debian's package of an extension where it is not `postgresql-<major>-<name>`, `_` as `-`. */
const PACKAGES: Readonly<Record<string, (major: number) => string>> = {
  address_standardizer: (major) => `postgresql-${major}-postgis-3`,
  pg_cron: (major) => `postgresql-${major}-cron`,
  pg_partman: (major) => `postgresql-${major}-partman`,
  pg_repack: (major) => `postgresql-${major}-repack`,
  plperl: (major) => `postgresql-plperl-${major}`,
  plperlu: (major) => `postgresql-plperl-${major}`,
  plpython3u: (major) => `postgresql-plpython3-${major}`,
  pltcl: (major) => `postgresql-pltcl-${major}`,
  pltclu: (major) => `postgresql-pltcl-${major}`,
  postgis: (major) => `postgresql-${major}-postgis-3`,
  postgis_raster: (major) => `postgresql-${major}-postgis-3`,
  postgis_sfcgal: (major) => `postgresql-${major}-postgis-3`,
  postgis_tiger_geocoder: (major) => `postgresql-${major}-postgis-3`,
  postgis_topology: (major) => `postgresql-${major}-postgis-3`,
  vector: (major) => `postgresql-${major}-pgvector`,
};

/** Extensions of PostgreSQL's own contrib folder: part of Debian's server package. */
const CONTRIB = new Set(
  (
    'adminpack amcheck autoinc bloom btree_gin btree_gist citext cube dblink dict_int dict_xsyn earthdistance file_fdw fuzzystrmatch ' +
    'hstore insert_username intagg intarray isn lo ltree moddatetime old_snapshot pageinspect pg_buffercache pg_freespacemap ' +
    'pg_logicalinspect pg_overexplain pg_prewarm pg_stat_statements pg_surgery pg_trgm pg_visibility pg_walinspect pgcrypto pgrowlocks ' +
    'pgstattuple plpgsql postgres_fdw refint seg sslinfo tablefunc tcn timetravel tsm_system_rows tsm_system_time unaccent uuid-ossp xml2'
  ).split(' '),
);

/** The library to load at the start of the server, for an extension that is known to need it. */
export function preloadLibraryOf(extension: string): string | undefined {
  return PRELOADED[extension];
}

/** Settings for a server that preloads these libraries. */
export function quietSettings(libraries: readonly string[]): Record<string, string> {
  return Object.assign({}, ...libraries.map((name) => QUIET[name] ?? {})) as Record<string, string>;
}

/** What to install for an extension, in a sentence. */
export function extensionHint(extension: string, major: number): string {
  const name = CONTRIB.has(extension)
    ? `postgresql-${major}`
    : (PACKAGES[extension]?.(major) ?? `postgresql-${major}-${extension.replaceAll('_', '-')}`);
  return (
    `Install it beside the server programs of the drill (Debian: apt-get install ${name}; elsewhere the package of that extension for ` +
    `PostgreSQL ${major}), or name it in drill.allowed (DRILL_ALLOWED) if a drill can do without it.`
  );
}
