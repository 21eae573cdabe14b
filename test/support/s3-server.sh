#!/bin/bash
# A real S3 server for the tests and the demo: Ceph's RADOS Gateway with one monitor and one object store in memory,
# unpacked from Debian packages into a folder of its own (nothing is installed system-wide but mmdebstrap).
#
#   s3-server.sh install              unpack it (about 30 s and 600 MB, once); needs root on Debian
#   s3-server.sh check                exit 0 if it is unpacked and can be started here; otherwise says why not
#   S3_PORT=… S3_MONITOR_PORT=… S3_ACCESS_KEY=… S3_SECRET_KEY=… s3-server.sh run
#                                     serve on 127.0.0.1 until standard input ends; prints "ready" on standard output
#
# `run` lives in a process and mount namespace of its own. When this script ends, for whatever reason, the kernel ends
# every server process with it and its memory file system is gone, so that a killed test leaves nothing behind.
set -euo pipefail

self=$(readlink -f "$0")
cache=${S3_SERVER_CACHE:-$(dirname "$self")/../../.cache/s3-server}
cache=$(realpath -m "$cache")
root=$cache/root

fail() {
  echo "no S3 server here: $*" >&2
  exit 1
}

can_run() {
  [ "$(id -u)" = 0 ] || fail "it needs root (to unpack Debian packages and to run them by chroot)"
  [ "$(uname -s)" = Linux ] || fail "it needs Linux"
  unshare --mount --pid --fork true 2>/dev/null || fail "this container may not create namespaces (CAP_SYS_ADMIN is missing)"
}

# The mirror that this machine's own apt reads, so that nothing else has to be reachable.
debian_mirror() {
  apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' 2>/dev/null | grep -m1 '/debian/$' || true
}

install() {
  can_run
  [ -e "$root/usr/bin/radosgw" ] && return
  grep -qs '^ID=debian' /etc/os-release || fail "it is unpacked from Debian packages, and this is not Debian"
  mkdir -p "$cache"
  exec 9> "$cache/install.lock"
  flock 9
  [ -e "$root/usr/bin/radosgw" ] && return
  if ! command -v mmdebstrap > /dev/null; then
    apt-get update -qq
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends mmdebstrap > /dev/null ||
      fail "the package mmdebstrap could not be installed"
  fi
  local mirror suite
  mirror=$(debian_mirror)
  [ -n "$mirror" ] || { apt-get update -qq; mirror=$(debian_mirror); }
  [ -n "$mirror" ] || fail "apt knows no Debian mirror"
  # Newest first: 20.2 in sid keeps the checksums of uploads as AWS does, 18.2 in trixie does not.
  for suite in sid trixie; do
    rm -rf "$root.partial"
    if mmdebstrap --quiet --variant=minbase --mode=root \
      --aptopt='Acquire::Check-Valid-Until "false"' \
      --dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-exclude=/usr/share/man/*' --dpkgopt='path-exclude=/usr/share/locale/*' \
      --include=radosgw,ceph-mon,ceph-osd "$suite" "$root.partial" "$mirror" > "$cache/install.log" 2>&1; then
      mv "$root.partial" "$root"
      return
    fi
    echo "Debian $suite could not be unpacked ($cache/install.log)" >&2
  done
  rm -rf "$root.partial"
  fail "no Debian suite could be unpacked"
}

configuration() {
  cat << CONF
[global]
fsid = $1
mon host = v2:127.0.0.1:$S3_MONITOR_PORT
auth cluster required = none
auth service required = none
auth client required = none
ms mon client mode = crc
ms mon service mode = crc
ms mon cluster mode = crc
public network = 127.0.0.0/8
osd pool default size = 1
osd pool default min size = 1
osd pool default pg num = 4
osd pool default pg autoscale mode = off
osd crush chooseleaf type = 0
mon allow pool size one = true
mon max pg per osd = 2000
# The monitor otherwise waits a second before each change of the map.
paxos propose interval = 0.02
paxos min wait = 0.01
mon data avail warn = 1
mon data avail crit = 0
log file = /srv/\$name.log
run dir = /srv/run
admin socket = /srv/run/\$name.asok
keyring = /dev/null
[mon]
mon data = /srv/mon
[osd]
osd data = /srv/osd
osd objectstore = memstore
memstore device bytes = 6442450944
osd class load list = *
osd class default list = *
[client]
rgw data = /srv/rgw
rgw frontends = beast endpoint=127.0.0.1:$S3_PORT
rgw enable usage log = false
rgw crypt require ssl = false
CONF
}

# Process 1 of the namespace: its end is the end of all.
serve() {
  in_root() { chroot "$root" /usr/bin/env -i HOME=/root PATH=/usr/sbin:/usr/bin:/sbin:/bin LANG=C.UTF-8 CEPH_CONF=/srv/ceph.conf "$@"; }
  mount -t proc proc "$root/proc"
  mount --rbind /dev "$root/dev"
  mount -t tmpfs -o size=1g tmpfs "$root/srv"
  mkdir "$root"/srv/{mon,osd,rgw,run}
  local fsid osd
  fsid=$(cat /proc/sys/kernel/random/uuid)
  osd=$(cat /proc/sys/kernel/random/uuid)
  configuration "$fsid" > "$root/srv/ceph.conf"
  # Whatever a server says goes into the memory file system, except when the start fails.
  trap 'cat "$root"/srv/*.out "$root"/srv/*.log 2> /dev/null | tail -n 30 >&2' ERR
  set -E
  in_root monmaptool --create --clobber --fsid "$fsid" --addv a "[v2:127.0.0.1:$S3_MONITOR_PORT]" /srv/monmap > /dev/null
  in_root ceph-mon --mkfs -i a --monmap /srv/monmap > "$root/srv/mkfs.out" 2>&1
  in_root ceph-mon -f -i a > "$root/srv/mon.out" 2>&1 < /dev/null &
  in_root timeout 60 ceph osd new "$osd" > /dev/null 2> "$root/srv/osd-new.out"
  in_root ceph-osd --mkfs -i 0 --osd-uuid "$osd" > "$root/srv/osd-mkfs.out" 2>&1
  in_root ceph-osd -f -i 0 > "$root/srv/osd.out" 2>&1 < /dev/null &
  in_root timeout 60 radosgw-admin user create --uid=test --display-name=test \
    --access-key="$S3_ACCESS_KEY" --secret="$S3_SECRET_KEY" > /dev/null 2> "$root/srv/user.out"
  # A second user without rights on the first one's buckets, for tests of "denied".
  in_root timeout 60 radosgw-admin user create --uid=stranger --display-name=stranger \
    --access-key="${S3_ACCESS_KEY}STRANGER" --secret="$S3_SECRET_KEY" > /dev/null 2> "$root/srv/user.out"
  in_root radosgw -f -n client.rgw > "$root/srv/rgw.out" 2>&1 < /dev/null &
  local gateway=$! tries=0
  until (exec 3<> "/dev/tcp/127.0.0.1/$S3_PORT") 2> /dev/null; do
    tries=$((tries + 1))
    if [ "$tries" -gt 300 ] || ! kill -0 "$gateway" 2> /dev/null; then
      cat "$root"/srv/rgw.out "$root"/srv/*.log 2> /dev/null | tail -n 30 >&2
      exit 1
    fi
    sleep 0.1
  done
  echo ready
  # Ends when the process that started us closes the pipe or dies.
  cat > /dev/null
}

case ${1:-} in
  install) install ;;
  check)
    can_run
    [ -e "$root/usr/bin/radosgw" ] || fail "it is not unpacked yet: run $self install"
    ;;
  run) exec unshare --mount --pid --fork --kill-child=KILL "$self" serve ;;
  serve) serve ;;
  *)
    sed -n '2,12s/^# \{0,1\}//p' "$self" >&2
    exit 2
    ;;
esac
