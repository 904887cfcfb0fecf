#!/usr/bin/env bash
# Tells, a line each, what a host has: every file with its owner, mode and content, its users, packages, services, kernel
# settings, firewall rules, interfaces, addresses and routes; not what any machine writes as it goes.
set -euo pipefail
export LC_ALL=C PATH=$PATH:/usr/sbin:/sbin

# Logs, caches, lists of packages and of when what was done; the system's copies of its last user database.
PASSING=(/proc /sys /dev /run /tmp /var/tmp /var/log /var/cache /var/lib/apt /var/lib/dpkg /var/lib/systemd
  /etc/passwd- /etc/group- /etc/shadow- /etc/gshadow- /etc/subuid- /etc/subgid- /etc/.pwd.lock /etc/.updated /var/.updated
  # What sudo notes of who used it; what is made of the libraries that there are.
  /var/lib/sudo /home/admin/.sudo_as_admin_successful /etc/ld.so.cache)

files() {
  local path leave=()
  for path in "${PASSING[@]}"; do leave+=(-path "$path" -prune -o); done
  find / "${leave[@]}" -type l -printf 'link %p %l\n' -o -printf '%y %m %U:%G %p\n'
  find / "${leave[@]}" -type f -print0 | xargs --null sha256sum
}

# Of folders in which things come and go.
left_behind() {
  find /run /tmp /var/tmp -regextype egrep -regex '.*/(lab[-_.].*|lab|docker.*|containerd|runc)' -prune -printf 'left %p\n'
}

kernel() {
  local name
  for name in /proc/sys/net/ipv4/ip_* /proc/sys/net/ipv4/tcp_* /proc/sys/net/ipv4/conf/*/forwarding \
    /proc/sys/net/ipv4/neigh/*/gc_thresh* /proc/sys/vm/max_map_count; do
    [[ $name == */tcp_fastopen_key || $name == */tcp_challenge* ]] || echo "kernel $name $(cat "$name" 2>/dev/null)"
  done
}

main() {
  files | sort
  left_behind | sort
  getent passwd | sed 's/^/user /' | sort
  getent group | sed 's/^/group /' | sort
  dpkg-query --show --showformat 'package ${Package} ${Version} ${db:Status-Status}\n' | sort
  apt-mark showmanual | sed 's/^/manual /' | sort
  systemctl list-unit-files --no-legend --no-pager | awk '{print "unit", $1, $2}' | sort
  systemctl list-units --no-legend --no-pager --plain --state=active --type=service,timer,socket |
    awk '$1 !~ /^(user|session|apt-daily|dpkg-db)/ {print "active", $1}' | sort
  kernel
  for family in iptables ip6tables; do
    ! command -v $family-save >/dev/null || $family-save | sed "/^#/d; /^\*/d; /^COMMIT/d; s/\[.*//; s/^/$family /" | sort
  done
  ip -brief link | awk '{print "interface", $1}' | sort
  ip -o address | awk '{print "address", $2, $4}' | sort
  ip route | sed 's/^/route /'
  crontab -l 2>/dev/null | sed 's/^/cron /' || true
}

main
