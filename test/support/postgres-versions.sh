#!/bin/bash
# Servers and client programs of several PostgreSQL versions, side by side, for the tests.
#
#   test/support/postgres-versions.sh install [VERSIONS…]   default: 13 15 17 18; does nothing for those that are there and run
#   test/support/postgres-versions.sh list                  what is there: version and folder of its programs
#
# Each version comes from the Debian suite that carries it and is unpacked under .cache/postgresql/<major>, with every library it
# needs down to its own C library, so it runs on any Debian of the same architecture and changes nothing of the system. No root is
# needed, only apt and dpkg. An unpacked version cannot be moved: its programs name their loader by its full path.
set -euo pipefail

readonly DEFAULT_VERSIONS=(13 15 17 18)
REPOSITORY=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd -P)
readonly REPOSITORY

fail() {
  echo "postgres-versions: $*" >&2
  exit 1
}

# The Debian suites that carry a version, best first.
suites_of() {
  case $1 in
    13) echo bullseye ;;
    15) echo bookworm ;;
    17) echo trixie ;;
    18) echo sid forky ;;
    *) fail "no Debian suite is known to carry PostgreSQL $1; known are ${DEFAULT_VERSIONS[*]}" ;;
  esac
}

# The folder that holds the versions. Servers refuse to run as root, so the tests run them as another user, who must be able to
# reach the programs: where that user cannot enter the repository (a clone in root's home), they live under /var/cache and
# .cache/postgresql is a link.
prepare_cache() {
  local cache=$REPOSITORY/.cache/postgresql folder=$REPOSITORY
  mkdir -p "$REPOSITORY/.cache"
  if [ ! -e "$cache" ] && [ "$(id -u)" = 0 ]; then
    while [ "$folder" != / ]; do
      if [ $(($(stat -c '0%a' "$folder") & 1)) = 0 ]; then
        mkdir -p /var/cache/db-backup-test
        rm -f "$cache"
        ln -s /var/cache/db-backup-test "$cache"
        break
      fi
      folder=$(dirname "$folder")
    done
  fi
  mkdir -p "$cache"
  (cd "$cache" && pwd -P)
}

programs_of() { # CACHE VERSION
  echo "$1/$2/usr/lib/postgresql/$2/bin"
}

runs() { # CACHE VERSION
  local programs
  programs=$(programs_of "$1" "$2")
  [ -e "$1/$2/complete" ] || return 1
  for program in postgres initdb pg_ctl psql pg_dump pg_restore pg_dumpall pgbench; do
    "$programs/$program" --version 2>/dev/null | grep -q " $2\." || return 1
  done
}

# The mirror that this machine's apt uses, whichever it is.
debian_mirror() {
  local mirror
  mirror=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' | grep -m1 '/debian/*$' || true)
  [ -n "$mirror" ] || fail "apt's sources name no Debian mirror (or 'apt-get update' never ran here), so there is nowhere to" \
    "fetch PostgreSQL from. Run 'apt-get update' as root, or install the versions by hand under /usr/lib/postgresql."
  echo "$mirror"
}

# A private apt: its own lists, cache and (empty) list of installed packages, so that it resolves every dependency.
configure_apt() { # FOLDER SUITE ARCHITECTURE
  local keys=/usr/share/keyrings removed=
  [ ! -e "$keys/debian-archive-removed-keys.gpg" ] || removed=",$keys/debian-archive-removed-keys.gpg"
  mkdir -p "$1"/state "$1"/lists/partial "$1"/archives/partial "$1"/parts
  : >"$1/state/status"
  echo "deb [arch=$3 signed-by=$keys/debian-archive-keyring.gpg$removed] $MIRROR $2 main" >"$1/sources.list"
  cat >"$1/apt.conf" <<END
Dir::State "$1/state";
Dir::State::status "$1/state/status";
Dir::State::lists "$1/lists";
Dir::Cache "$1";
Dir::Cache::archives "$1/archives";
Dir::Etc::sourcelist "$1/sources.list";
Dir::Etc::sourceparts "$1/parts";
Dir::Etc::preferences "/dev/null";
Dir::Etc::preferencesparts "$1/parts";
APT::Architecture "$3";
APT::Architectures { "$3"; };
APT::Sandbox::User "";
APT::Get::Assume-Yes "true";
Acquire::Languages "none";
Acquire::Retries "5";
Acquire::Check-Valid-Until "false";
Acquire::IndexTargets::deb::Contents-deb::DefaultEnabled "false";
END
}

retry() {
  local attempt
  for attempt in 1 2 3; do
    if "$@"; then return 0; fi
    sleep $((attempt * 3))
  done
  return 1
}

# Downloads the packages of a version with the libraries they need, and unpacks them into a folder.
unpack() { # WORK SUITE VERSION ARCHITECTURE INTO
  export APT_CONFIG=$1/apt.conf
  configure_apt "$1" "$2" "$4"
  retry apt-get -qq update || return 1
  apt-cache show "postgresql-$3" >/dev/null 2>&1 || return 1
  # Of the dependencies only the shared libraries matter: no scripts, no perl, no just-in-time compiler.
  apt-get -qq -s --no-install-recommends install "postgresql-$3" "postgresql-client-$3" patchelf |
    awk '/^Inst/ { print $2 }' |
    grep -E "^(postgresql(-client)?-$3|patchelf|lib.*)$" |
    grep -vE '(-perl|-bin|-common|-utils)$|^lib(perl|llvm|clang|z3|debconf|newt|slang|sema|sepol|apt|gdbm|db5)' >"$1/packages"
  mkdir -p "$1/debs" "$5"
  (cd "$1/debs" && retry xargs -a "$1/packages" apt-get -qq download) || return 1
  unset APT_CONFIG
  for package in "$1"/debs/*.deb; do
    dpkg-deb --fsys-tarfile "$package" |
      tar -C "$5" -x --no-same-owner --exclude='./usr/share/doc' --exclude='./usr/share/man' --exclude='./usr/share/locale' \
        --exclude='*/gconv' --exclude='*/bitcode' --exclude='*/llvmjit*' --exclude='./etc' --exclude='./var' || return 1
  done
  # Older suites keep some libraries under /lib; newer ones have /lib as a link in another package.
  for folder in lib lib64; do
    if [ -d "$5/$folder" ] && [ ! -L "$5/$folder" ]; then
      mkdir -p "$5/usr/$folder"
      cp -a "$5/$folder/." "$5/usr/$folder/"
      rm -rf "${5:?}/$folder"
    fi
  done
}

# Makes the programs in FOLDER use the loader and the libraries that will be under FINAL.
bind_libraries() { # FOLDER FINAL VERSION TRIPLET
  local libraries=usr/lib/$4 loader program
  loader=$(cd "$1" && find usr/lib usr/lib64 -name 'ld-linux*.so*' 2>/dev/null | head -n1)
  [ -n "$loader" ] || return 1
  for program in "$1/usr/lib/postgresql/$3/bin/"*; do
    [ "$(head -c4 "$program" | tail -c3)" = ELF ] || continue
    "$(readlink -f "$1/$loader")" --library-path "$1/$libraries" "$1/usr/bin/patchelf" --set-interpreter "$2/$loader" \
      --force-rpath --set-rpath "$2/$libraries:$2/usr/lib/postgresql/$3/lib" "$program" || return 1
  done
}

install_version() { # CACHE VERSION
  local cache=$1 version=$2 architecture triplet work partial suite done=
  if runs "$cache" "$version"; then return 0; fi
  command -v apt-get dpkg-deb >/dev/null ||
    fail "PostgreSQL $version for the tests is unpacked from Debian packages, and this machine has no apt. Install it by hand under" \
      "/usr/lib/postgresql/$version, or run the tests on Debian or Ubuntu."
  architecture=$(dpkg --print-architecture)
  case $architecture in
    amd64) triplet=x86_64-linux-gnu ;;
    arm64) triplet=aarch64-linux-gnu ;;
    *) fail "PostgreSQL $version: no recipe for the architecture $architecture" ;;
  esac
  MIRROR=${MIRROR:-$(debian_mirror)}
  partial=$cache/.$version.partial
  for suite in $(suites_of "$version"); do
    work=$(mktemp -d "$cache/.work.XXXXXX")
    rm -rf "$partial"
    echo "PostgreSQL $version: unpacking from Debian's $suite"
    if unpack "$work" "$suite" "$version" "$architecture" "$partial" &&
      bind_libraries "$partial" "$cache/$version" "$version" "$triplet"; then
      done=$suite
    fi
    unset APT_CONFIG
    rm -rf "$work"
    [ -z "$done" ] || break
  done
  [ -n "$done" ] || fail "PostgreSQL $version could not be fetched from Debian's $(suites_of "$version") (see above)." \
    "Is the network there? Nothing was changed; run the command again."
  chmod -R a+rX "$partial"
  rm -rf "${cache:?}/$version"
  mv "$partial" "$cache/$version"
  date -u +%Y-%m-%dT%H:%M:%SZ >"$cache/$version/complete"
  if ! runs "$cache" "$version"; then
    "$(programs_of "$cache" "$version")/postgres" --version || true
    rm -rf "${cache:?}/$version"
    fail "PostgreSQL $version was unpacked but its programs do not run here (see above)"
  fi
}

cache=$(prepare_cache)
case ${1:-} in
  install)
    shift
    [ $# -gt 0 ] || set -- "${DEFAULT_VERSIONS[@]}"
    for version; do suites_of "$version" >/dev/null; done
    exec 9>"$cache/.lock"
    flock 9
    for version; do install_version "$cache" "$version"; done
    ;;
  list)
    for folder in "$cache"/[0-9]*; do
      version=${folder##*/}
      if runs "$cache" "$version"; then echo "$version $(programs_of "$cache" "$version")"; fi
    done
    ;;
  *) fail "usage: postgres-versions.sh install [VERSIONS…] | list" ;;
esac
