#!/usr/bin/env bash
# Tells what a host of one's own is and has, in parts that begin with `== NAME`; changes nothing. Run over SSH, as
# whoever lab.yml says, before anything else.
# usage: look.sh PACKAGES PATHS PEERS   (each a list of words: what would be installed; what the lab makes and would
#                                        find there; the other nodes' addresses)
set -u
export LC_ALL=C PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin
# A port that nobody has yet: it is refused by who is there, and not by who is not.
PORT=7000
PATIENCE=5

part() { # name, command
  echo "== $1"
  shift
  "$@" 2>/dev/null </dev/null
}

memory() {
  awk '/^MemTotal:/ {print $2}' /proc/meminfo
}

init() {
  if [ -d /run/systemd/system ]; then echo systemd; fi
}

told_begun() {
  ! begun /var/lib/lab || echo begun
}

sudo_way() {
  if [ "$(id -u)" = 0 ]; then echo root
  elif ! command -v sudo >/dev/null; then echo none
  elif sudo --non-interactive true; then echo free
  else echo asks
  fi
}

there() { # paths
  local path
  for path in $1; do [ ! -e "$path" ] || begun "$path" || echo "$path"; done
}

# An account that was cut off before it was whole: nothing has been brought.
begun() { # path
  [ "$1" = /var/lib/lab ] && [ "$(ls -A "$1")" = brought.partial ]
}

docker() {
  dpkg-query --show --showformat '${Package} ${db:Status-Status}\n' docker.io docker-ce docker-ce-cli podman-docker \
    moby-engine | sed -n 's/ installed$//p'
  # One that is no package of Debian's.
  ls -d /var/snap/docker /usr/local/bin/dockerd
}

# What installing would change of what is installed.
replaced() { # packages
  # shellcheck disable=SC2086,SC2016  # a list of words; awk's own
  apt-get --simulate --no-install-recommends --no-upgrade install $1 | awk '/^Remv / {print $2} /^Inst [^ ]+ \[/ {print $2}'
}

reached() { # addresses
  local address
  for address in $1; do answer "$address" & done
  wait
}

answer() { # address
  local said
  if said=$(timeout $PATIENCE bash -c "exec 3<>/dev/tcp/$1/$PORT" 2>&1) || [[ $said == *refused* ]]; then
    echo "$1"
  fi
}

main() {
  part system cat /etc/os-release
  part architecture uname -m
  part init init
  part memory memory
  part disk df --output=avail --block-size=1M /var/lib
  part addresses ip -o -4 address
  part routes ip -4 route
  part listening ss --no-header --listening --tcp --numeric
  part vendor cat /sys/class/dmi/id/sys_vendor /sys/class/dmi/id/chassis_asset_tag
  part keys cat /etc/ssh/ssh_host_ecdsa_key.pub /etc/ssh/ssh_host_ed25519_key.pub /etc/ssh/ssh_host_rsa_key.pub
  part sudo sudo_way
  part docker docker
  part replaced replaced "$1"
  part paths there "$2"
  part login getent passwd lab-tasks
  part owner cat /var/lib/lab/brought/owner
  part begun told_begun
  part provisioned cat /etc/lab/address
  part reached reached "$3"
  echo "== end"
}

main "$@"
