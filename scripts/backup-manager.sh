#!/bin/sh
# Runs backups that live in compose services, from any folder. `backup-manager.sh help` lists the commands.
set -u

usage() {
  cat << 'END'
Usage: backup-manager.sh COMMAND [ARGUMENTS]

  start-services          start the daemon (a first backup is made where there is none)
  stop-services           stop it; a run that is at work is ended cleanly
  status                  whether backups can be made and restored
  logs [backup|restore]   what the last runs said
  create-backup           make a backup now
  list-backups            every backup, and where it is whole
  restore [FILE] [DB]     restore FILE (default: the newest backup) into the new database DB (default: <database>_restored)
  monthly-drill           restore the newest backup elsewhere and prove that it equals its source
  cleanup                 remove what the retention does not keep
  shell                   a shell where the backups are

Every other command is handed to `backup-manager` in the container: verify, pin, reindex, evidence, … (--help shows them).

The compose files are those of COMPOSE_FILE, from the environment or .env; else the application's own beside this project's
docker-compose.backup.yml, if there is one, and that. Exit statuses are those of the command.
END
}

fail() { # STATUS WORDS…
  status=$1
  shift
  echo "backup-manager.sh: $*" >&2
  exit "$status"
}

# Where the project is, also through symbolic links.
self=$0
while [ -L "$self" ]; do
  target=$(readlink "$self")
  case $target in
    /*) self=$target ;;
    *) self=$(dirname "$self")/$target ;;
  esac
done
cd "$(dirname "$self")/.." || exit 1

find_compose() {
  if docker compose version > /dev/null 2>&1; then
    COMPOSE='docker compose'
  elif command -v docker-compose > /dev/null 2>&1; then
    COMPOSE=docker-compose
  else
    fail 50 'neither "docker compose" nor "docker-compose" is here; install Docker with its compose plugin'
  fi
  case $($COMPOSE version --short 2> /dev/null) in
    1.* | v1.*) fail 50 "$COMPOSE is of version 1, which cannot read docker-compose.backup.yml; install version 2.24 or newer" ;;
  esac
  # A profile on the command line would push aside those that are set.
  profiles=${COMPOSE_PROFILES:-$(sed -n 's/^COMPOSE_PROFILES=//p' .env 2> /dev/null | tr -d "\"'")}
  export COMPOSE_PROFILES="backup${profiles:+,$profiles}"
  if [ -n "${COMPOSE_FILE:-}" ] || grep -qs '^COMPOSE_FILE=' .env; then return; fi
  for file in compose.yaml compose.yml docker-compose.yaml docker-compose.yml; do
    if [ -e "$file" ]; then
      COMPOSE_FILE=$file
      for more in "${file%.*}.override.yaml" "${file%.*}.override.yml"; do
        [ ! -e "$more" ] || COMPOSE_FILE=$COMPOSE_FILE:$more
      done
      break
    fi
  done
  COMPOSE_FILE=${COMPOSE_FILE:+$COMPOSE_FILE:}docker-compose.backup.yml
  export COMPOSE_FILE
}

compose() {
  $COMPOSE "$@"
}

is_up() {
  container=$(compose ps --quiet db-backup 2> /dev/null | head -n 1)
  [ -n "$container" ] &&
    [ "$(docker inspect --format '{{.State.Running}} {{.State.Restarting}}' "$container" 2> /dev/null)" = 'true false' ]
}

# A command of the container: in the service when that is up, else in a container of its own, which needs no daemon and no database.
inside() {
  if [ -t 0 ] && [ -t 1 ]; then terminal=; else terminal=-T; fi
  if is_up; then
    compose exec $terminal db-backup "$@"
  else
    compose run --rm --no-deps $terminal db-backup "$@"
  fi
}

# Standard input is read by nobody: it is left alone, for loops that read from it, unless it is the terminal.
manage() {
  if [ -t 0 ]; then inside backup-manager "$@"; else inside backup-manager "$@" < /dev/null; fi
}

command=${1:-help}
[ $# -eq 0 ] || shift
case $command in
  help | -h | --help)
    usage
    exit 0
    ;;
esac
find_compose
case $command in
  start-services) compose up --detach "$@" db-backup ;;
  stop-services) compose stop "$@" db-backup ;;
  shell) inside bash "$@" ;;
  status)
    if is_up; then up=yes; else up=no; fi
    manage status "$@"
    status=$?
    # The backups may be well; that nobody makes the next one is a problem all the same.
    if [ "$up" = no ]; then
      [ "$status" -ne 0 ] || status=3
      fail "$status" 'the service db-backup is not running: start-services starts it'
    fi
    exit "$status"
    ;;
  *) manage "$command" "$@" ;;
esac
