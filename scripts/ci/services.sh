#!/bin/sh
# The services of docker-compose.backup.yml with the sample database, for the other scripts here.
#
#   services.sh up     builds the image if BACKUP_IMAGE is not there, starts, and waits until the first backup is made
#   services.sh down   removes all of it, volumes included
set -eu
cd "$(dirname "$0")/../.."
export COMPOSE_FILE=docker-compose.backup.yml COMPOSE_PROFILES=backup,demo
: "${COMPOSE_PROJECT_NAME:=db-backup-ci}" "${BACKUP_IMAGE:=db-backup:latest}"
export COMPOSE_PROJECT_NAME BACKUP_IMAGE
case ${1:-} in
  up)
    docker image inspect "$BACKUP_IMAGE" > /dev/null 2>&1 || scripts/build-image.sh "$BACKUP_IMAGE"
    docker compose up --detach --no-build --wait --wait-timeout 180 || {
      docker compose logs --no-color >&2
      exit 1
    }
    docker compose ps
    ;;
  down) docker compose down --volumes --timeout 20 ;;
  *)
    sed -n '2,5s/^# \{0,1\}//p' "$0" >&2
    exit 2
    ;;
esac
