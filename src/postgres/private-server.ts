/** Longest path of a Unix socket on Linux, with its end mark and room for `/.s.PGSQL.65535`. */
export const SOCKET_FOLDER_MAX = 107 - 16;

/** Whoever reaches the socket may read the files as well: only the account of the server enters its folder. */
export const PRIVATE_HBA = 'local all all trust\n';

/**
 * Settings that keep a copy of another server to itself: it listens on one private socket, archives no WAL under the source's name, starts no
 * subscription of the source's, and writes its log, in English, to standard error. They win over all files when given as arguments.
 */
export function privateSettings(socketFolder: string, port: number): Record<string, string> {
  return {
    ...{
      listen_addresses: '',
      port: String(port),
      unix_socket_directories: `"${socketFolder}"`,
      unix_socket_permissions: '0700',
    },
    ...{ archive_mode: 'off', primary_conninfo: '', max_logical_replication_workers: '0' },
    ...{ ssl: 'off', external_pid_file: '', logging_collector: 'off', log_destination: 'stderr' },
    ...{ log_min_messages: 'warning', log_line_prefix: '%m [%p] ', lc_messages: 'C' },
  };
}
