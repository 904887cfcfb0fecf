#!/usr/bin/env bash
# Makes a host of one's own a node of the lab: notes what it had, lets the lab's tasks in, and provisions it. Takes, as a
# tar on standard input, what node.sh expects, node.sh itself, and the lab's public login key. May be run again. Run as root.
# usage: bring.sh NAME FOLDER MACHINE KEY   (as `brought record` has them; node.sh's environment)
set -euo pipefail
export LC_ALL=C PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin
umask 022

# Of what is cut off before the account of the host stands, nothing is left after its next start.
export LAB_UPLOADS=/run/lab-given
LOGIN=lab-tasks

unpack() {
  rm -rf "$LAB_UPLOADS"
  install -d -m 0700 "$LAB_UPLOADS"
  tar --extract --no-same-owner --directory "$LAB_UPLOADS"
}

let_in() {
  local home=/var/lib/lab/home
  getent passwd "$LOGIN" >/dev/null ||
    useradd --system --home-dir "$home" --create-home --shell /bin/bash --user-group "$LOGIN"
  install -d -m 0700 -o "$LOGIN" -g "$LOGIN" "$home" "$home/.ssh"
  install -m 0600 -o "$LOGIN" -g "$LOGIN" "$LAB_UPLOADS/login_key.pub" "$home/.ssh/authorized_keys"
  # Where sudo is one of the packages, it is there by now.
  install -m 0440 /dev/stdin "/etc/sudoers.d/$LOGIN" <<< "$LOGIN ALL=(ALL) NOPASSWD: ALL"
}

main() {
  exec 9>/run/lock/lab-node
  flock 9
  unpack
  bash "$LAB_UPLOADS/lab-node/hosts/brought" record "$@"
  bash "$LAB_UPLOADS/node.sh"
  let_in
  rm -rf "$LAB_UPLOADS"
}

main "$@"
