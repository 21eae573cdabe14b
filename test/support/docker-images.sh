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

# The Debian suite that carries a major version of PostgreSQL.
suite_of() {
  case $1 in
    13) echo bullseye ;;
    15) echo bookworm ;;
    17) echo trixie ;;
    18) echo sid ;;
    *) return 1 ;;
  esac
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
  nice -n 10 mmdebstrap --quiet --variant=minbase --mode=root --aptopt='Acquire::Check-Valid-Until "false"' \
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

make_postgres() { # MAJOR SUITE
  local data=/var/lib/postgresql/data
  [ "$1" -lt 18 ] || data=/var/lib/postgresql/$1/docker
  mkdir -p "$work/postgres"
  cp "$(dirname "$(readlink -f "$0")")/postgres-entrypoint.sh" "$work/postgres/"
  docker build --quiet --tag "postgres:$1" --file - "$work/postgres" > /dev/null << END
FROM debian:$2-slim
ENV DEBIAN_FRONTEND=noninteractive LANG=C.UTF-8 PGDATA=$data PATH=/usr/lib/postgresql/$1/bin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
RUN apt-get update -qq && mkdir -p /etc/postgresql-common && echo 'create_main_cluster = false' > /etc/postgresql-common/createcluster.conf \
 && apt-get install -y -qq --no-install-recommends -o Dpkg::Options::=--force-confold postgresql-$1 \
 && rm -rf /var/lib/apt/lists/* && install -d -o postgres -g postgres -m 3777 /var/run/postgresql && install -d -o postgres -g postgres $data
COPY postgres-entrypoint.sh /usr/local/bin/docker-entrypoint.sh
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
      suite=$(suite_of "$tag")
      ensure "debian:$suite-slim"
      make_postgres "$tag" "$suite"
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
