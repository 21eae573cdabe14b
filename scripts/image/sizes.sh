#!/bin/sh
# Writes what the layers of an image are and how large, and what is in the largest, into docs/container.md.
#
#   scripts/image/sizes.sh [IMAGE]      db-backup:latest by default
set -eu
cd "$(dirname "$0")/../.."
image=${1:-db-backup:latest}

table() {
  echo
  echo "$(docker image inspect --format '{{.Size}}' "$image" | awk '{ printf "%d", $1 / 1e6 }') MB: $(docker run --rm --entrypoint sh "$image" -c \
    '. /etc/os-release; echo "$PRETTY_NAME, PostgreSQL $(postgres --version | sed "s/[^0-9]*\([0-9.]*\).*/\1/"), Node $(node --version)"')."
  echo
  echo '| layer | size |'
  echo '| --- | --- |'
  docker history --no-trunc --format '{{.Size}}\t{{.CreatedBy}}' "$image" | awk -F'\t' '
    $1 ~ /MB$/ {
      what = "Debian"
      if ($2 ~ /install-postgresql/) what = "PostgreSQL, its libraries, tini, zstd, locales"
      else if ($2 ~ /bin\/node/) what = "Node"
      else if ($2 ~ /COPY \/app/) what = "this program and the packages it needs"
      print "| " what " | " $1 " |"
    }'
  echo
  echo '| part of it | MB |'
  echo '| --- | --- |'
  # shellcheck disable=SC2016 # for the shell in the container
  docker run --rm --entrypoint sh "$image" -c '
    megabytes() { du -cm "$@" 2>/dev/null | tail -n 1 | cut -f1; }
    echo "| PostgreSQL: programs, libraries, extensions | $(megabytes /usr/lib/postgresql /usr/share/postgresql) |"
    echo "| ICU, for databases with its collations | $(megabytes $(ls /usr/lib/*/libicu*.so.*)) |"
    echo "| sources of locales, which drills compile | $(megabytes /usr/share/i18n) |"
    echo "| node_modules | $(megabytes /app/node_modules) |"
    echo "| the program | $(megabytes /app/dist) |"'
  echo
}

file=docs/container.md
{
  sed '/^<!-- image: made/q' "$file"
  table
  sed -n '/^<!-- image: end/,$p' "$file"
} > "$file.new"
mv "$file.new" "$file"
