#!/bin/sh
# Builds the image with version, revision and time of the last commit in its labels.
#
#   scripts/build-image.sh [NAME:TAG] [MORE ARGUMENTS OF docker build…]      db-backup:latest by default
set -eu
cd "$(dirname "$0")/.."
name=${1:-db-backup:latest}
[ $# -eq 0 ] || shift
version=$(sed -n 's/^  "version": "\(.*\)",$/\1/p' package.json)
revision=$(git rev-parse HEAD 2> /dev/null || echo unknown)
SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct 2> /dev/null || echo 0)}
export SOURCE_DATE_EPOCH
exec docker build --tag "$name" --build-arg "VERSION=$version" --build-arg "REVISION=$revision" \
  --build-arg "SOURCE_DATE_EPOCH=$SOURCE_DATE_EPOCH" --build-arg "CREATED=$(date -u -d "@$SOURCE_DATE_EPOCH" +%Y-%m-%dT%H:%M:%SZ)" "$@" .
