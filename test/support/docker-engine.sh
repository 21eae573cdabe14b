#!/bin/bash
# A Docker engine for the tests, where none answers: engine, compose and buildx unpacked from Debian packages into a folder of its own.
#
#   docker-engine.sh install   unpack it (about 15 s and 400 MB, once); needs root on Debian
#   docker-engine.sh check     exit 0 if it is unpacked and can be started here; otherwise says why not
#   docker-engine.sh run       serve until standard input ends; prints "ready" on standard output
#   docker-engine.sh environment   prints what leads docker's programs to it
#
# `run` lives in process, mount and network namespaces of its own: bridges and firewall rules never touch the machine's, and when this
# script ends, for whatever reason, the kernel ends the engine and all its containers with it. Images stay for the next run; it is
# one engine for one folder, so a second `run` waits for the first.
set -euo pipefail

self=$(readlink -f "$0")
cache=$(realpath -m "${DOCKER_ENGINE_CACHE:-$(dirname "$self")/../../.cache/docker}")
bin=$cache/bin
# Paths of Unix sockets are short (107 bytes), those of clones may not be.
socket=/run/db-backup-test-$(printf %s "$cache" | cksum | cut -d' ' -f1).sock

fail() {
  echo "no Docker engine here: $*" >&2
  exit 1
}

can_run() {
  [ "$(id -u)" = 0 ] || fail "it needs root"
  [ "$(uname -s)" = Linux ] || fail "it needs Linux"
  unshare --mount --pid --net --fork true 2> /dev/null || fail "this machine does not let processes have namespaces (CAP_SYS_ADMIN)"
  [ -c /dev/net/tun ] || fail "/dev/net/tun is missing"
}

debian_mirror() {
  # shellcheck disable=SC2016 # apt's own variable
  apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' 2> /dev/null | grep -m1 '/debian/*$' || true
}

# A private apt that knows nothing as installed: of a later suite than the machine's, without touching the machine's.
private_apt() { # FOLDER SUITE
  local keys=/usr/share/keyrings/debian-archive-keyring.gpg
  mkdir -p "$1"/lists/partial "$1"/archives/partial
  : > "$1/status"
  : > "$1/none"
  echo "deb [signed-by=$keys] $(debian_mirror) $2 main" > "$1/sources.list"
  cat > "$1/apt.conf" << END
Dir::State "$1"; Dir::State::status "$1/status"; Dir::State::lists "$1/lists"; Dir::Cache "$1"; Dir::Cache::archives "$1/archives";
Dir::Etc::sourcelist "$1/sources.list"; Dir::Etc::sourceparts "/dev/null"; Dir::Etc::preferences "$1/none"; Dir::Etc::preferencesparts "/dev/null";
Acquire::Languages "none"; Acquire::Retries "5"; Acquire::Check-Valid-Until "false"; APT::Sandbox::User "";
END
}

unpack() { # WORK SUITE
  private_apt "$1" "$2"
  (
    export APT_CONFIG=$1/apt.conf
    cd "$1"
    apt-get -qq update
    apt-get -qq download docker.io docker-cli containerd tini-static docker-compose docker-buildx
    for package in ./*.deb; do dpkg-deb -x "$package" root; done
  ) || return 1
  mkdir -p "$bin.partial/config/cli-plugins"
  find "$1/root" -type f -perm -u+x \( -name docker -o -name dockerd -o -name docker-proxy -o -name containerd \
    -o -name containerd-shim-runc-v2 \) -exec cp {} "$bin.partial/" \;
  cp "$1/root/usr/bin/tini-static" "$bin.partial/docker-init"
  find "$1/root" -type f -perm -u+x \( -name docker-compose -o -name docker-buildx \) -size +1M -exec cp {} "$bin.partial/config/cli-plugins/" \;
  "$bin.partial/dockerd" --version && "$bin.partial/containerd" --version && "$bin.partial/config/cli-plugins/docker-compose" version
}

install() {
  can_run
  ! "$self" check 2> /dev/null || return 0
  grep -qs '^ID=debian' /etc/os-release || fail "it is unpacked from Debian packages, and this is not Debian"
  mkdir -p "$cache"
  exec 9> "$cache/install.lock"
  flock 9
  local missing=() program suite work
  for program in iptables slirp4netns mmdebstrap runc; do
    command -v "$program" > /dev/null || missing+=("$program")
  done
  if [ -z "$(debian_mirror)" ] || [ ${#missing[@]} -gt 0 ]; then apt-get -qq update; fi
  [ ${#missing[@]} = 0 ] || DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" > /dev/null ||
    fail "these packages could not be installed: ${missing[*]}"
  [ ! -e "$bin/complete" ] || return 0
  [ -n "$(debian_mirror)" ] || fail "apt knows no Debian mirror"
  for suite in trixie sid; do
    work=$(mktemp -d "$cache/work.XXXXXX")
    rm -rf "$bin.partial"
    if unpack "$work" "$suite" > "$cache/install.log" 2>&1; then
      rm -rf "$work" "$bin"
      touch "$bin.partial/complete"
      mv "$bin.partial" "$bin"
      return 0
    fi
    rm -rf "$work"
  done
  tail -n 5 "$cache/install.log" >&2
  fail "the engine could not be unpacked"
}

# Process 1 of the namespace: its end is the end of all. The engine lives in the network of `holder`, which slirp4netns, an ordinary
# process of the machine's network, connects to the outside.
serve() {
  exec 9>&-
  unshare --net sleep infinity < /dev/null &
  local holder=$! tries=0 log=$cache/engine.log
  until [ "$(readlink /proc/$holder/ns/net)" != "$(readlink /proc/self/ns/net)" ]; do sleep 0.02; done
  slirp4netns --configure --mtu=65520 "$holder" tap0 > "$cache/network.log" 2>&1 < /dev/null &
  rm -rf "$cache/run" "$socket"
  mkdir -p "$cache/run" "$cache/data"
  PATH=$bin:$PATH nsenter --net="/proc/$holder/ns/net" dockerd --data-root "$cache/data" --exec-root "$cache/run" \
    --pidfile "$cache/run/dockerd.pid" --cgroup-parent "$DOCKER_ENGINE_CGROUP" --host "unix://$socket" > "$log" 2>&1 < /dev/null &
  local engine=$!
  until DOCKER_HOST=unix://$socket "$bin/docker" version > /dev/null 2>&1; do
    tries=$((tries + 1))
    if [ "$tries" -gt 300 ] || ! kill -0 "$engine" 2> /dev/null; then
      tail -n 20 "$log" >&2
      exit 1
    fi
    sleep 0.1
  done
  # What a killed run left.
  docker() { DOCKER_HOST=unix://$socket "$bin/docker" "$@"; }
  docker ps --all --quiet | while read -r container; do docker rm --force --volumes "$container" > /dev/null; done
  docker volume prune --all --force > /dev/null
  docker network prune --force > /dev/null
  docker image prune --force > /dev/null
  echo ready
  # Ends when the process that started us closes the pipe or dies.
  cat > /dev/null
  kill -TERM "$engine"
  wait "$engine" || true
}

run() {
  exec 9> "$cache/run.lock"
  flock 9
  export DOCKER_ENGINE_CGROUP=/db-backup-test-$$
  local status=0
  unshare --mount --pid --fork --mount-proc --kill-child=KILL "$self" serve || status=$?
  rm -f "$socket"
  find /sys/fs/cgroup -depth -type d -path "*/${DOCKER_ENGINE_CGROUP#/}*" -exec rmdir {} + 2> /dev/null || true
  exit "$status"
}

case ${1:-} in
  install) install ;;
  check)
    can_run
    [ -e "$bin/complete" ] || fail "it is not unpacked yet: run $self install"
    for program in iptables slirp4netns mmdebstrap runc; do
      command -v "$program" > /dev/null || fail "$program is not installed: run $self install"
    done
    ;;
  run) run ;;
  serve) serve ;;
  environment)
    echo "DOCKER_HOST=unix://$socket"
    echo "DOCKER_CONFIG=$bin/config"
    echo "PATH=$bin:$PATH"
    ;;
  *)
    sed -n '2,11s/^# \{0,1\}//p' "$self" >&2
    exit 2
    ;;
esac
