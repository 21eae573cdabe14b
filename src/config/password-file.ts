import { readFileSync } from 'node:fs';

interface Login {
  readonly host: string;
  readonly port: number;
  readonly database: string;
  readonly user: string;
}

/**
 * The password for a login from a file of `host:port:database:user:password` lines, the first match winning.
 * https://www.postgresql.org/docs/current/libpq-pgpass.html
 * Throws what reading the file throws.
 */
export function passwordFromFile(file: string, { host, port, database, user }: Login): string | undefined {
  // Through a socket, libpq looks for `localhost`.
  const hosts = host.startsWith('/') ? [host, 'localhost'] : [host];
  for (const line of readFileSync(file, 'utf8').split(/\r?\n/)) {
    if (line.startsWith('#')) continue;
    const fields = line.match(/(?:\\.|[^:\\])*(?::|$)/g)?.map((field) => field.replace(/:$/, '').replace(/\\(.)/g, '$1'));
    if (fields === undefined || fields.length < 5) continue;
    const [lineHost, linePort, lineDatabase, lineUser, password] = fields;
    const matches =
      (lineHost === '*' || hosts.includes(lineHost ?? '')) &&
      (linePort === '*' || linePort === String(port)) &&
      (lineDatabase === '*' || lineDatabase === database) &&
      (lineUser === '*' || lineUser === user);
    if (matches) return password;
  }
  return undefined;
}
