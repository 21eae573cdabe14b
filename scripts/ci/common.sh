# shellcheck shell=sh
# Read by the scripts beside it: the project of services.sh, and the folder that results go to.
cd "$(dirname "$0")/../.." || exit 1
export COMPOSE_FILE=docker-compose.backup.yml COMPOSE_PROFILES=backup,demo
: "${COMPOSE_PROJECT_NAME:=db-backup-ci}" "${BACKUP_IMAGE:=db-backup:latest}"
export COMPOSE_PROJECT_NAME BACKUP_IMAGE
OUT=${1:?the folder for results}
mkdir -p "$OUT"
manage() {
  scripts/backup-manager.sh "$@"
}
# Reports and ledger as they are, for auditors.
collect() {
  mkdir -p "$OUT/evidence"
  manage shell -c 'cd /backups && tar -cf - logs restore-tests 2>/dev/null' | tar -C "$OUT/evidence" -xf -
}
