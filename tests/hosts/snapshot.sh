#!/usr/bin/env bash
# Tells, a line each, what a host has: every file with its owner, mode and content, its users, packages, services, kernel
# settings, firewall rules, interfaces and processes; not what any machine writes as it goes.
set -euo pipefail
export LC_ALL=C PATH=$PATH:/usr/sbin:/sbin

# Logs, caches, lists of packages and of when what was done; the system's copies of its last user database.
PASSING=(/proc /sys /dev /run /tmp /var/tmp /var/log /var/cache /var/lib/apt /var/lib/dpkg /var/lib/systemd
  /etc/passwd- /etc/group- /etc/shadow- /etc/gshadow- /etc/subuid- /etc/subgid- /etc/.pwd.lock /etc/.updated /var/.updated
  # That sudo has warned somebody once; what was loaded by whom last.
  /var/lib/sudo /etc/ld.so.cache /var/lib/ucf /var/lib/update-notifier)

files() {
  local path leave=()
  for path in "${PASSING[@]}"; do leave+=(-path "$path" -prune -o); done
  find / "${leave[@]}" -type f -printf 'file %m %U:%G %p ' -exec sh -c 'sha256sum < "$1"' sh {} \; \
    -o "${leave[@]}" -type l -printf 'link %p %l\n' -o "${leave[@]}" -type d -printf 'folder %m %U:%G %p\n'
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
  ip -brief -o address | awk '{print "interface", $1, $3}' | sort
  crontab -l 2>/dev/null | sed 's/^/cron /' || true
}

main
