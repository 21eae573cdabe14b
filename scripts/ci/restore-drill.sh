#!/bin/sh
# Restore drill: restores the newest backup both ways, compares every row with its source, and measures recovery point and time.
#
#   restore-drill.sh FOLDER      after services.sh up
set -eu
# shellcheck source=scripts/ci/common.sh
. "$(dirname "$0")/common.sh"

status=0
manage monthly-drill --thorough --json > "$OUT/drill.json" || status=$?
collect
echo '== the ledger: nothing was left out or changed'
manage evidence verify --json > "$OUT/evidence.json" || [ "$status" -ne 0 ] || status=$?
exit "$status"
