#!/bin/sh
# Backup test: creation, integrity, metadata. Results go to the FOLDER that is named.
#
#   backup-test.sh FOLDER      after services.sh up
set -eu
# shellcheck source=scripts/ci/common.sh
. "$(dirname "$0")/common.sh"

echo '== creation'
manage create-backup --json > "$OUT/backup.json"
echo '== integrity: every byte of the newest backup'
manage verify --json > "$OUT/verify.json"
echo '== metadata: the manifest names the file, its SHA-256 is that of the file, and stock tools open it'
# shellcheck disable=SC2016 # for the shell in the container
manage shell -ec '
  cd /backups/full
  dump=$(ls -t *.sql.gz | head -n 1)
  sum=$(sha256sum "$dump" | cut -d" " -f1)
  grep -q "$sum" "$dump.meta" || { echo "the manifest of $dump does not name its SHA-256"; exit 1; }
  gunzip -t "$dump"
  echo "$dump $sum"'
echo '== what is there'
manage list-backups
collect
