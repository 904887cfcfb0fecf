#!/usr/bin/env bash
# Makes a machine a node of the lab: Vagrant's shell provisioner, and what hosts of one's own are given over SSH. May be
# run again.
# Expects provision/node in /tmp/lab-node, extra certificate authorities in /tmp/lab-authorities (or both in
# /tmp/lab-node.tar; LAB_UPLOADS names another folder than /tmp), and
#   LAB_ADDRESS           the node's address on the lab's network
#   LAB_HOSTS             ADDRESS=NAME of every node, comma-separated
#   LAB_PROVISION_DIGEST  what provision/node-digest printed
#   LAB_NODE              on a host of one's own: the node's name
set -euo pipefail

# Seconds: for this machine's address, and for others that use apt: one that has just booted updates itself.
PATIENCE=600
UPLOADS=${LAB_UPLOADS:-/tmp}
# On a host of one's own: what keeps account of what is brought there, and takes it away again.
BROUGHT=/var/lib/lab/brought/brought

# Not the shell's to say: who provisions again may have asked it for another provider since.
is_container() {
  systemd-detect-virt --quiet --container
}

# A host that was there before the lab, and will be after it.
is_own_host() {
  [ -e "$BROUGHT" ]
}

unpack() {
  [ -e "$UPLOADS/lab-node.tar" ] || return 0
  # What a provisioner that was cut off has left.
  rm -rf "$UPLOADS/lab-node" "$UPLOADS/lab-authorities"
  tar --extract --no-same-owner --file "$UPLOADS/lab-node.tar" --directory "$UPLOADS"
}

# As the node image has it: an upgrade of Docker would restart it at any time.
stop_upgrades() {
  ! systemctl is-enabled apt-daily.timer apt-daily-upgrade.timer >/dev/null ||
    systemctl disable --quiet --now apt-daily.timer apt-daily-upgrade.timer
}

# Those that are there stay as they are.
install_packages() {
  local missing
  mapfile -t missing < <(missing_packages)
  [ ${#missing[@]} -gt 0 ] || return 0
  echo "lab: installing packages"
  update_lists
  # Only now is it known whether Docker's client is a package of its own.
  mapfile -t missing < <(missing_packages)
  ! is_own_host || "$BROUGHT" installing "${missing[@]}"
  DEBIAN_FRONTEND=noninteractive apt-get install --option "DPkg::Lock::Timeout=$PATIENCE" \
    --yes --quiet=2 --no-install-recommends --no-remove "${missing[@]}"
  ! is_own_host || "$BROUGHT" installed
}

missing_packages() {
  wanted_packages | sort | comm -23 - <(dpkg-query --show --showformat '${Package} ${db:Status-Status}\n' |
    sed -n 's/ installed$//p' | sort)
}

wanted_packages() {
  cat "$UPLOADS/lab-node/packages"
  is_own_host || return 0
  echo sudo
  # Debian 13 and newer have Docker's client apart from docker.io.
  ! LC_ALL=C apt-cache policy docker-cli | grep 'Candidate: [^(]' >/dev/null || echo docker-cli
}

# No option of apt's waits for this lock.
update_lists() {
  local said deadline=$((SECONDS + PATIENCE))
  until said=$(LC_ALL=C apt-get update --quiet=2 2>&1); do
    [[ $said == *"Could not get lock"* && $SECONDS -lt $deadline ]] || { echo "$said" >&2; return 1; }
    sleep 1
  done
}

# Where no other authorities were added before, these are added as update-ca-certificates would, which takes seconds
# of a core for writing all the others anew.
trust_authorities() {
  [ -d "$UPLOADS/lab-authorities" ] || return 0
  local trusted=/usr/local/share/ca-certificates certificates=/etc/ssl/certs file name
  ! is_own_host || "$BROUGHT" trusting "$UPLOADS/lab-authorities"
  if [ -z "$(find "$trusted" -name '*.crt')" ]; then
    for file in "$UPLOADS"/lab-authorities/*.crt; do
      name=$(basename "$file" .crt)
      # One without a newline at its end would run into the next.
      awk 1 "$file" >> "$certificates/ca-certificates.crt"
      ln -sf "$trusted/$name.crt" "$certificates/$name.pem"
      install --mode 0644 "$file" "$trusted/"
    done
    openssl rehash "$certificates"
  elif ! same_authorities "$trusted"; then
    install --mode 0644 "$UPLOADS"/lab-authorities/*.crt "$trusted/"
    update-ca-certificates >/dev/null 2>&1
  fi
}

same_authorities() { # folder
  local file
  for file in "$UPLOADS"/lab-authorities/*.crt; do
    cmp --silent "$file" "$1/${file##*/}" || return 1
  done
}

wait_for_address() {
  local deadline=$((SECONDS + PATIENCE))
  until ip -o -4 address show to "$LAB_ADDRESS" | grep --quiet .; do
    [ $SECONDS -lt $deadline ] || { echo "no interface has the address $LAB_ADDRESS: see \`ip address\`" >&2; return 1; }
    sleep 1
  done
}

bind_ssh() {
  # To a virtual machine Vagrant comes by another network, and to a host its people as they always did.
  if is_own_host || ! is_container; then return 0; fi
  echo "ListenAddress $LAB_ADDRESS" > /etc/ssh/sshd_config.d/lab-address.conf
  systemctl reload ssh
}

prepare_folders() {
  install -d /etc/lab /etc/lab/addressed /etc/docker
  install -d -m 0711 /etc/lab/secrets
  echo "$LAB_ADDRESS" > /etc/lab/address
  # As the plans have it (lab/plan/render.py), which bring it up to date when lab.yml changes.
  tr ',=' '\n ' <<< "$LAB_HOSTS" > /etc/lab/hosts
  ip -o -4 address show to "$LAB_ADDRESS" | awk '{print "interface", $2; exit}' > /etc/lab/interface.conf
  # The registry's user (images/registry/Dockerfile).
  install -d -o 10006 -g 10006 -m 0700 /var/cache/lab/registry
}

# Whole folders, so that no file of theirs can be forgotten.
install_files() {
  install -d /usr/local/lib/lab/lab_node
  local given=$UPLOADS/lab-node
  install -m 0755 -t /usr/local/sbin "$given"/sbin/* "$given/files/lab-base-image"
  install -m 0644 -t /usr/local/lib/lab/lab_node "$given"/lab_node/*.py
  install -m 0644 -t /etc/systemd/system "$given/etc/systemd/system"/*
  install -m 0644 -t /etc/sysctl.d "$given/etc/sysctl.d"/*
  is_own_host || install -D -m 0644 -t /etc/systemd/resolved.conf.d "$given/etc/systemd/resolved.conf.d"/*
}

# The programs that an earlier version of the lab had, and this one has not.
remove_former_programs() {
  local program
  for program in /usr/local/sbin/lab[-_]* /usr/local/lib/lab/lab_node/*.py; do
    compgen -G "$UPLOADS/lab-node/*/${program##*/}" >/dev/null || rm "$program"
  done
  # Of a module that lay beside the programs.
  rm -rf /usr/local/sbin/__pycache__
}

configure_kernel() {
  sysctl --quiet --load /etc/sysctl.d/lab.conf
}

quiet_resolver() {
  if is_own_host || ! systemctl is-active --quiet systemd-resolved; then return 0; fi
  systemctl restart systemd-resolved
}

configure_docker() {
  local settings=$UPLOADS/lab-node/etc/docker/daemon.json changed=no
  is_own_host || usermod --append --groups docker vagrant
  if ! cmp --silent "$settings" /etc/docker/daemon.json; then
    install -m 0644 "$settings" /etc/docker/daemon.json
    changed=yes
  fi
  if is_own_host && name_docker; then changed=yes; fi
  [ $changed = no ] || systemctl restart docker
}

# Swarm calls nodes what Docker takes its machine's name for, and a host keeps its own. Fails if all is so already.
name_docker() {
  local folder=/etc/systemd/system/docker.service.d command wanted
  [ "$HOSTNAME" != "$LAB_NODE" ] || return 1
  command=$(systemctl cat docker.service | sed -n 's/^ExecStart=\(.*dockerd .*\)/\1/p' | grep -v unshare | tail -n 1)
  wanted="[Service]
ExecStart=
ExecStart=/usr/bin/unshare --uts /bin/sh -c 'hostname \"\$\$0\" && exec \"\$\$@\"' $LAB_NODE $command"
  [ "$wanted" != "$(cat $folder/lab-name.conf 2>/dev/null)" ] || return 1
  install -d $folder
  echo "$wanted" > $folder/lab-name.conf
  systemctl daemon-reload
}

start_units() {
  systemctl daemon-reload
  systemctl enable --quiet lab-names lab-firewall lab-follow
  # Docker's package has done it, and systemd asks Debian's old tools for seconds before it finds so.
  systemctl is-enabled --quiet docker || systemctl enable --quiet docker
  systemctl restart lab-names
  # Not restarted: Docker, which requires it, would be too.
  systemctl reload-or-restart lab-firewall
  systemctl restart lab-follow
}

main() {
  # What is half done is not provisioned, whatever it was before.
  rm -f /etc/lab/provisioned
  unpack
  stop_upgrades
  install_packages
  trust_authorities
  wait_for_address
  bind_ssh
  prepare_folders
  install_files
  remove_former_programs
  configure_kernel
  quiet_resolver
  configure_docker
  start_units
  rm -rf "$UPLOADS/lab-node" "$UPLOADS/lab-node.tar" "$UPLOADS/lab-authorities"
  echo "$LAB_PROVISION_DIGEST" > /etc/lab/provisioned
}

main
