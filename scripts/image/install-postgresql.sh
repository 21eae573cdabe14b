#!/bin/sh
# Run inside the image's build: PostgreSQL's server of PG_MAJOR, clients of all versions that PG_PACKAGES has, and what drills need.
# What these packages bring and nothing here runs goes in the same layer.
set -eu
: "${PG_MAJOR:?}" "${PG_PACKAGES:?}" "${PG_EXTENSIONS=}"
export DEBIAN_FRONTEND=noninteractive
OLDEST=12

fail() {
  echo "install-postgresql: $*" >&2
  exit 1
}

installed() {
  # shellcheck disable=SC2016 # dpkg's own variables
  dpkg-query --show --showformat '${db:Status-Abbrev} ${Package}\n' | sed -n 's/^ii *//p'
}

cat > /etc/dpkg/dpkg.cfg.d/small << 'END'
path-exclude=/usr/share/doc/*
path-exclude=/usr/share/man/*
path-exclude=/usr/share/info/*
path-exclude=/usr/share/locale/*
path-exclude=/usr/lib/postgresql/*/lib/bitcode/*
path-exclude=/usr/lib/postgresql/*/lib/llvmjit*
END
before=$(installed)
stamp=$(mktemp)
mkdir -p /etc/postgresql-common
echo 'create_main_cluster = false' > /etc/postgresql-common/createcluster.conf

apt-get -qq update
case $PG_PACKAGES in
  debian) ;;
  pgdg)
    # Debian's postgresql-common knows the repository and its key.
    apt-get -qq install --yes --no-install-recommends ca-certificates postgresql-common > /dev/null
    /usr/share/postgresql-common/pgdg/apt.postgresql.org.sh -y
    ;;
  *) fail "PG_PACKAGES is '$PG_PACKAGES'; it must be pgdg or debian" ;;
esac

apt-cache show "postgresql-$PG_MAJOR" > /dev/null 2>&1 ||
  fail "there is no PostgreSQL $PG_MAJOR in $PG_PACKAGES; there are: $(apt-cache search --names-only '^postgresql-[0-9]+$' | cut -d' ' -f1 | tr '\n' ' ')"
set -- "postgresql-$PG_MAJOR"
major=$OLDEST
while [ "$major" -le "$PG_MAJOR" ]; do
  ! apt-cache show "postgresql-client-$major" > /dev/null 2>&1 || set -- "$@" "postgresql-client-$major"
  major=$((major + 1))
done
for extension in $PG_EXTENSIONS; do set -- "$@" "postgresql-$PG_MAJOR-$extension"; done
apt-get -qq install --yes --no-install-recommends -o Dpkg::Options::=--force-confold tini libnss-wrapper locales zstd "$@" > /dev/null

# Of what these packages brought along, the libraries that their programs load stay; perl, systemd, LLVM and Debian's scripts go.
files=$(dpkg-query --listfiles tini libnss-wrapper zstd "$@" | grep -E '^/usr/(lib/postgresql/|bin/|lib/[^/]*/lib)')
loaded=$(for file in $files; do ldd "$file" 2> /dev/null || true; done | sed -n 's/.* => \(\/[^ ]*\) .*/\1/p' | sort -u)
owners=$(for file in $loaded; do
  dpkg-query --search "$(readlink -f "$file")" "$file" 2> /dev/null || true
done | sed 's/:.*//' | sort -u)
unwanted=
for package in $(installed); do
  printf '%s\n' "$before" "$owners" tini libnss-wrapper locales libc-l10n zstd "$@" | grep -qx "$package" || unwanted="$unwanted $package"
done
echo "install-postgresql: not needed to run:$unwanted"
# shellcheck disable=SC2086 # a list of words
dpkg --purge --force-depends $unwanted > /dev/null 2>&1 || true
rm -rf /var/lib/apt/lists/* /var/cache/* /var/log/* /etc/postgresql* /etc/apt/sources.list.d/pgdg* /etc/systemd /var/lib/systemd /var/lib/postgresql \
  /root/.[!.]* /usr/share/postgresql-common /usr/share/postgresql/*/man /usr/share/doc /usr/share/man /etc/machine-id

for program in initdb postgres pg_ctl pg_dump pg_dumpall pg_restore psql; do
  "/usr/lib/postgresql/$PG_MAJOR/bin/$program" --version > /dev/null || fail "$program does not run"
done
missing=$(find /usr/lib/postgresql -type f \( -name '*.so' -o -perm -u+x \) -exec ldd {} + 2> /dev/null | grep 'not found' || true)
[ -z "$missing" ] || fail "libraries are missing: $missing"
# The same packages are the same layer, whenever they are installed. (The build itself holds /etc/hosts and its like.)
find /usr /etc /var -xdev -newer "$stamp" -exec touch --no-dereference --date=@0 {} + 2> /dev/null || true
rm -f "$stamp"
