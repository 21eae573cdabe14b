#!/bin/bash
# Base images for the tests, under their usual names: from the registry where it can be reached, else made here from Debian's and npm's
# packages. Those made here carry the label `stand-in`.
#
#   docker-images.sh NAME…       debian:SUITE-slim, node:VERSION-SUITE-slim, postgres:MAJOR; prints the name of each that it made
#   docker-images.sh base NODE   what the project's own image is built from; prints its DEBIAN_SUITE and PG_PACKAGES
#
# docker's programs must be led to an engine (DOCKER_HOST). An image that is there already is left alone.
set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
registry=unknown

debian_mirror() {
  # shellcheck disable=SC2016 # apt's own variable
  apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' 2> /dev/null | grep -m1 '/debian/*$' || true
}

pull() {
  [ "$registry" != none ] || return 1
  if timeout 300 docker pull --quiet "$1" > /dev/null 2>&1; then
    registry=there
    return 0
  fi
  [ "$registry" = there ] || registry=none
  return 1
}

make_debian() { # SUITE
  mmdebstrap --quiet --variant=minbase --mode=root --include=tzdata --aptopt='Acquire::Check-Valid-Until "false"' \
    --dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-exclude=/usr/share/man/*' --dpkgopt='path-exclude=/usr/share/locale/*' \
    "$1" - "$(debian_mirror)" 2> "$work/mmdebstrap.log" |
    docker import --change 'CMD ["bash"]' --change 'LABEL stand-in=true' - "debian:$1-slim" > /dev/null || {
    cat "$work/mmdebstrap.log" >&2
    return 1
  }
}

# Node and npm out of the packages that npm's own registry has of them. What this machine trusts goes in, so that npm works in builds.
make_node() { # VERSION SUITE
  local folder=$work/node
  mkdir -p "$folder/lib/node_modules/npm" "$folder/bin"
  (
    cd "$folder"
    tar -xzf "$(npm pack --silent "node-linux-$(uname -m | sed 's/x86_64/x64/; s/aarch64/arm64/')@$1")" package/bin/node --strip-components=1
    tar -xzf "$(npm pack --silent npm@11)" -C lib/node_modules/npm --strip-components=1
    rm ./*.tgz
  )
  ln -s ../lib/node_modules/npm/bin/npm-cli.js "$folder/bin/npm"
  cp -L /etc/ssl/certs/ca-certificates.crt "$folder/trusted.pem"
  docker build --quiet --tag "node:$1-$2-slim" --file - "$folder" > /dev/null << END
FROM debian:$2-slim
COPY bin /usr/local/bin
COPY lib /usr/local/lib
COPY trusted.pem /etc/ssl/trusted.pem
ENV NODE_EXTRA_CA_CERTS=/etc/ssl/trusted.pem NPM_CONFIG_REGISTRY=$(npm config get registry)
CMD ["node"]
END
}

# The version that the other tests unpack for themselves, in the folder that it cannot leave, on any Debian.
make_postgres() { # MAJOR
  local versions data=/var/lib/postgresql/data programs root
  versions=$(dirname "$(readlink -f "$0")")/postgres-versions.sh
  [ "$1" -lt 18 ] || data=/var/lib/postgresql/$1/docker
  programs=$("$versions" list | sed -n "s/^$1 //p")
  [ -n "$programs" ] || { "$versions" install "$1" >&2 && programs=$("$versions" list | sed -n "s/^$1 //p"); }
  root=${programs%/usr/lib/postgresql/*}
  docker build --quiet --tag "postgres:$1" --build-context "support=$(dirname "$versions")" --file - "$root" > /dev/null << END
FROM debian:sid-slim
ENV LANG=C.UTF-8 PGDATA=$data PATH=$programs:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
RUN useradd --system --user-group postgres && install -d -o postgres -g postgres -m 3777 /var/run/postgresql && install -d -o postgres -g postgres $data
COPY . $root
COPY --from=support postgres-entrypoint.sh /usr/local/bin/docker-entrypoint.sh
ENTRYPOINT ["docker-entrypoint.sh"]
STOPSIGNAL SIGINT
VOLUME $([ "$1" -lt 18 ] && echo "$data" || echo /var/lib/postgresql)
CMD ["postgres"]
END
}

ensure() { # NAME
  local tag=${1#*:} suite version
  docker image inspect "$1" > /dev/null 2>&1 && return
  pull "$1" && return
  case $1 in
    debian:*) make_debian "${tag%-slim}" ;;
    node:*)
      tag=${tag%-slim}
      suite=${tag##*-} version=${tag%-*}
      ensure "debian:$suite-slim"
      make_node "$version" "$suite"
      ;;
    postgres:*)
      ensure debian:sid-slim
      make_postgres "$tag"
      ;;
    *)
      echo "docker-images: $1 can neither be pulled nor made here" >&2
      return 1
      ;;
  esac
  echo "$1"
}

is_stand_in() {
  docker image inspect --format '{{index .Config.Labels "stand-in"}}' "$1" 2> /dev/null | grep -qx true
}

# Only sid has the newest PostgreSQL among Debian's own packages.
base() { # NODE
  if { docker image inspect "node:$1-trixie-slim" > /dev/null 2>&1 && ! is_stand_in "node:$1-trixie-slim"; } || pull "node:$1-trixie-slim"; then
    pull debian:trixie-slim
    echo trixie pgdg
  else
    ensure "node:$1-sid-slim" > /dev/null
    echo sid debian
  fi
}

if [ "${1:-}" = base ]; then
  base "${2:?the version of Node}"
else
  for image; do ensure "$image"; done
fi
