import { spawn, type ChildProcess } from 'node:child_process';
import { rm } from 'node:fs/promises';
import type { Socket } from 'node:net';

import type { Account } from './server-account.ts';
import { ALIVE_FILE } from './server-leftovers.ts';

/** In the folder of a server whose data directory was made by something else than initdb: who may log in. */
export const HBA_FILE = 'hba';

/**
 * Keeps the server and outlives us for as long as it takes to remove it: it reads our end of a pipe, which the kernel
 * closes whatever we die of. File descriptor 3 is held open by the server and its children and so tells us their end;
 * descriptor 9 is the lock that tells everybody else (server-leftovers.ts). Where util-linux is, the kernel ends the server
 * with its keeper: by KILL, since a server that has only just been forked still ignores QUIT. TERM comes first for the same reason.
 * It guards the folder from its first moment, and begins to work when a first line says `go`.
 * Arguments: program folder, server folder, socket folder, a library to preload, then the arguments of initdb.
 */
const KEEPER = `
bin=$1 folder=$2 socket=$3 preload=$4; shift 4
umask 077
empty() { for each in "$folder"/* "$folder"/.[!.]*; do [ "$each" = "$folder/${ALIVE_FILE}" ] || rm -rf "$each"; done; rm -rf "$socket"
  for each in "$folder"/*; do [ "$each" = "$folder/${ALIVE_FILE}" ] || return 1; done; }
sweep() { tries=0; until empty 2>/dev/null || [ $tries -ge 50 ]; do tries=$((tries + 1)); sleep 0.1; done
  empty && rm -f "$folder/${ALIVE_FILE}"; rmdir "$folder" 2>/dev/null; }
exec 9>"$folder/${ALIVE_FILE}.new"
flock -n 9 || exit
echo "$socket" >&9
mv "$folder/${ALIVE_FILE}.new" "$folder/${ALIVE_FILE}"
read -r go
[ "$go" = go ] || { exec 3>&-; sweep; exit; }
locales() { [ -e "$folder/localedef" ] || return 0
  mkdir "$folder/locales" && while read -r source charmap target; do
    localedef -c -i "$source" -f "$charmap" "$folder/locales/$target" >>"$folder/server.log" 2>&1 </dev/null
    [ -e "$folder/locales/$target/LC_CTYPE" ] || return; done <"$folder/localedef"; }
setpriv=
case $(readlink -f /usr/bin/setpriv) in */setpriv) setpriv='setpriv --pdeathsig KILL --' ;; esac
make() { [ -e "$folder/${HBA_FILE}" ] && return
  env \${preload:+"LD_PRELOAD=$preload"} "$bin/initdb" -D "$folder/data" "$@" >>"$folder/server.log" 2>&1 </dev/null &&
    cat "$folder/settings" >>"$folder/data/postgresql.conf"; }
if locales && make "$@"; then
  set --; [ -e "$folder/${HBA_FILE}" ] && set -- -c "config_file=$folder/settings" -c "hba_file=$folder/${HBA_FILE}"
  $setpriv "$bin/postgres" -D "$folder/data" "$@" >"$folder/server.log" 2>&1 </dev/null &
  server=$!
  exec 3>&-
  trap '' INT TERM HUP
  read -r how || how=QUIT
  [ "$how" = KILL ] || kill -TERM "$server" 2>/dev/null
  kill -"$how" "$server" 2>/dev/null
  wait "$server"
  # A killed server leaves its lock, a System V shared memory segment, whose number is in line 7.
  [ "$how" = KILL ] && ipcrm -m "$(sed -n '7s/.* //p' "$folder/data/postmaster.pid")" 2>/dev/null
  sweep
else
  exec 3>&-
  read -r how
  sweep
fi
`;

/**
 * As root, the account of the server may empty its folder, but not remove it from a parent that is not its own. This does,
 * once it is empty, and only if we died: otherwise we do it ourselves.
 */
const SWEEPER = `
read -r done && exit
tries=0; until rmdir "$1" || [ ! -e "$1" ] || [ $tries -ge 600 ]; do tries=$((tries + 1)); sleep 0.1; done 2>/dev/null
`;

export interface Keeper {
  /** True once the server and all its processes are gone, or were never started. */
  serverGone(): boolean;
  /** The folder is ready: makes the cluster and starts the server. */
  go(): void;
  /** Ends the server with a signal and removes its folders. Repeated calls wait for the first. */
  end(how: 'QUIT' | 'KILL'): Promise<void>;
}

export interface KeepOptions {
  readonly binDirectory: string;
  /** Gets `data` and `server.log`; `settings` in it is added to postgresql.conf, the lines of `localedef` are locales to compile. */
  readonly folder: string;
  readonly socketFolder: string;
  /** Whom to run as, when not as ourselves. */
  readonly account: Account | undefined;
  readonly initdbArgs: readonly string[];
  /** A library that initdb is started with. */
  readonly preload?: string;
  /** Added to the environment of initdb and the server. */
  readonly env?: Readonly<Record<string, string>>;
}

/** Puts a folder, and the server that will run in it, into the hands of a shell that ends both when we end, in whatever way. */
export function keepServer(options: KeepOptions): Keeper {
  const { binDirectory, folder, socketFolder, account, initdbArgs, preload = '', env } = options;
  const args = ['-c', KEEPER, 'throw-away-server', binDirectory, folder, socketFolder, preload, ...initdbArgs];
  const child = spawn('/bin/sh', args, {
    // An own session: Ctrl-C in a terminal is for us, and we then end the server.
    detached: true,
    cwd: '/',
    env: { PATH: '/usr/local/bin:/usr/bin:/bin', LC_ALL: 'C.UTF-8', ...env },
    stdio: ['pipe', 'ignore', 'ignore', 'pipe'],
    ...(account !== undefined && { uid: account.uid, gid: account.gid }),
  });
  const sweeper = account === undefined ? undefined : startSweeper(folder);
  const exited = ended(child);
  let gone = false;
  const life = child.stdio[3] as Socket;
  life.on('error', () => undefined).once('close', () => (gone = true));
  life.resume();
  life.unref();
  letGo(child);

  let ending: Promise<void> | undefined;
  return {
    serverGone: () => gone,
    go: () => void child.stdin?.write('go\n'),
    end(how) {
      ending ??= (async () => {
        child.ref();
        child.stdin?.end(`${how}\n`);
        await exited;
        for (const path of [folder, socketFolder]) await rm(path, { recursive: true, force: true, maxRetries: 5 });
        sweeper?.ref();
        sweeper?.stdin?.end('done\n');
        if (sweeper !== undefined) await ended(sweeper);
      })();
      return ending;
    },
  };
}

function startSweeper(folder: string): ChildProcess {
  const sweeper = spawn('/bin/sh', ['-c', SWEEPER, 'throw-away-sweeper', folder], {
    detached: true,
    cwd: '/',
    env: { PATH: '/usr/local/bin:/usr/bin:/bin' },
    stdio: ['pipe', 'ignore', 'ignore'],
  });
  letGo(sweeper);
  return sweeper;
}

/** A server that somebody forgot to stop must not keep our process alive: the end of our process is its end. */
function letGo(child: ChildProcess): void {
  child.unref();
  child.stdin?.on('error', () => undefined);
  (child.stdin as Socket | null)?.unref();
}

async function ended(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  await new Promise<void>((resolve) => child.once('exit', () => resolve()).once('error', () => resolve()));
}
