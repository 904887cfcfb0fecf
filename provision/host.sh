#!/usr/bin/env -S bash -p
# Makes this machine able to run the lab: packages, what the lab's provider needs (a Docker engine, or
# libvirt), the Python tools in .venv.
# Does nothing where nothing is missing.
# usage: host.sh [test | test-vm | environment | wheels FOLDER]
#   test: also a browser; test-vm: Docker and what `make test-vm` takes; environment: .venv alone;
#   wheels: the Python tools as files, for machines without network
set -euo pipefail
"$(dirname "$0")/provider" bears
[ -n "${LAB_OWN:-}" ] || exec "$(dirname "$0")/own" "$0" "$@"
cd "$(dirname "$0")/.."

DOCKER_SOCKET=/var/run/docker.sock
DOCKERD_PID=/var/run/docker.pid
DOCKERD_LOG=/var/log/lab-dockerd.log
DOCKERD_SECONDS=60
LIBVIRTD_SECONDS=30
UV_VERSION=0.13.9

fail() {
  echo "lab: $*" >&2
  exit 1
}

has() {
  command -v "$1" >/dev/null 2>&1
}

# The packages, as Debian names them, whose programs are not there.
missing_packages() { # provider, or none for .venv alone; test, test-vm or nothing
  python3 -c 'import ensurepip' 2>/dev/null || printf '%s ' python3-venv
  case $1 in
    none) return ;;
    docker) missing_docker_packages ;;
    libvirt) missing_libvirt_packages ;;
  esac
  [ "$1" = ssh ] || has vagrant || printf '%s ' vagrant
  has wrk || printf '%s ' wrk
  has rsync || printf '%s ' rsync
  has ssh || printf '%s ' openssh-client
  has ip || printf '%s ' iproute2
  case ${2:-} in
    test) has chromium || printf '%s ' chromium fonts-noto-color-emoji ;;
    test-vm) missing_libvirt_packages && missing_apart_packages ;;
  esac
}

# What libvirtd of its own takes (tests/vm/apart), and to make a box (box.sh).
missing_apart_packages() {
  has dnsmasq || printf '%s ' dnsmasq-base
  has iptables || printf '%s ' iptables
  has sfdisk || printf '%s ' fdisk
}

missing_docker_packages() {
  docker_answers || has dockerd || printf '%s ' docker.io iptables
  has docker || printf '%s ' docker-cli
  has mmdebstrap || node_image_brought || printf '%s ' mmdebstrap debian-archive-keyring
}

# By a bundle: none has to be made.
node_image_brought() {
  [ -e ".offline/lab-node-$(provision/node-digest image).tar.gz" ]
}

missing_libvirt_packages() {
  has libvirtd || printf '%s ' libvirt-daemon-system
  has virsh || printf '%s ' libvirt-clients
  has qemu-img || printf '%s ' qemu-utils
  case $(uname -m) in
    aarch64 | arm64) has qemu-system-aarch64 || printf '%s ' qemu-system-arm qemu-efi-aarch64 ;;
    *) has qemu-system-x86_64 || printf '%s ' qemu-system-x86 ;;
  esac
  # Debian's plugin is for Debian's Vagrant.
  case $(readlink -f "$(command -v vagrant)") in
    /opt/*) ;;
    *) [ -e /usr/share/vagrant-plugins/plugins.d/vagrant-libvirt.json ] || printf '%s ' vagrant-libvirt ;;
  esac
}

has_candidate() { # package
  LC_ALL=C apt-cache policy "$1" | grep 'Candidate: [^(]' >/dev/null
}

# Fails on the first package that this release of Debian or Ubuntu lacks.
check_candidates() { # names
  local package
  for package; do
    ! has_candidate "$package" || continue
    case $package in
      chromium)
        fail "no package chromium here (Ubuntu's is a snap, which tests cannot drive): install Google Chrome" \
          "and link it: ln -s /usr/bin/google-chrome /usr/local/bin/chromium" ;;
      vagrant) fail "no package vagrant here: install it as developer.hashicorp.com/vagrant/install says" ;;
      *) fail "no package $package here: install what it has by hand" ;;
    esac
  done
}

install_packages() { # names
  [ $# -gt 0 ] || return 0
  { has apt-get && [ "$(id -u)" = 0 ]; } ||
    fail "missing: $*: install them, or run this as root on Debian or Ubuntu"
  echo "lab: installing $*"
  export DEBIAN_FRONTEND=noninteractive
  apt-get update --quiet=2 || echo "lab: apt-get update failed; going on with the lists at hand" >&2
  # Only Debian 13 and newer have Docker's client apart from docker.io.
  has_candidate docker-cli || set -- "${@/#docker-cli/docker.io}"
  check_candidates "$@"
  apt-get install --yes --quiet=2 --no-install-recommends "$@" >/dev/null ||
    fail "apt-get could not install $*: see above"
}

docker_answers() {
  docker info >/dev/null 2>&1
}

# Whether the engine's socket, if there is one, is for this user too.
may_use_docker() {
  [ ! -S "$DOCKER_SOCKET" ] || [ -w "$DOCKER_SOCKET" ]
}

# The process that the pid file names is a daemon: at work, starting, or still dying.
dockerd_lives() {
  [ "$(cat "/proc/$(cat "$DOCKERD_PID" 2>/dev/null)/comm" 2>/dev/null)" = dockerd ]
}

start_docker() {
  docker_answers && return
  may_use_docker ||
    fail "user $(id -un) may not use this machine's Docker: \`sudo usermod -aG docker $(id -un)\`" \
      "and sign in again, or \`sudo make up\` (later files are yours all the same)"
  [ "$(id -u)" = 0 ] || fail "no Docker engine answers: start Docker, or run this as root"
  echo "lab: starting the Docker engine"
  local deadline=$((SECONDS + DOCKERD_SECONDS))
  until docker_answers; do
    [ $SECONDS -lt $deadline ] ||
      fail "no Docker engine answers after $DOCKERD_SECONDS s: see $DOCKERD_LOG"
    start_daemon
    sleep 0.5
  done
}

start_daemon() {
  if [ -d /run/systemd/system ]; then
    systemctl start docker
  elif ! dockerd_lives; then
    # A daemon that was killed leaves its pid file behind, and a new one refuses to start over it
    # when another process has that number by now.
    rm -f "$DOCKERD_PID"
    setsid --fork dockerd >>"$DOCKERD_LOG" 2>&1 </dev/null
  fi
}

# Vagrant would make it later, while nothing else is done: the Python tools are installed meanwhile.
make_node_image() {
  local image
  image=lab-node:$(provision/node-digest image)
  docker image inspect "$image" >/dev/null 2>&1 || provision/node-image.sh "$image"
}

# What its packages leave to do.
start_libvirt() {
  libvirt_answers && return
  [ "$(id -u)" = 0 ] || fail "libvirtd does not answer: start it, or run this as root"
  echo "lab: starting libvirtd"
  if [ -d /run/systemd/system ]; then
    systemctl start libvirtd
  else
    virtlogd --daemon || true
    libvirtd --daemon
  fi
  local deadline=$((SECONDS + LIBVIRTD_SECONDS))
  until libvirt_answers; do
    [ $SECONDS -lt $deadline ] || fail "libvirtd does not answer after $LIBVIRTD_SECONDS s: run \`libvirtd\` to see why"
    sleep 0.5
  done
}

libvirt_answers() {
  virsh --connect "${LIBVIRT_DEFAULT_URI:-qemu:///system}" uri >/dev/null 2>&1
}

make_environment() {
  install_tools
  [ "$(readlink .venv/bin/fab)" = ../../provision/fab ] || ln -sfn ../../provision/fab .venv/bin/fab
}

install_tools() {
  local wanted
  wanted=$(sha256sum requirements.lock)
  [ "$(cat .venv/requirements 2>/dev/null)" != "$wanted" ] || return 0
  echo "lab: installing the Python tools into .venv"
  python3 -c 'import sys; sys.exit(sys.version_info < (3, 11))' || fail "python3 is older than 3.11"
  python3 -m venv --clear .venv
  # uv installs in a second what takes pip half a minute. As modules: pip's own scripts do not bear
  # every folder.
  local sources said
  sources=$(pip_sources)
  mapfile -t sources <<<"$sources"
  local found=()
  ! tools_brought || found=(--no-index --find-links .offline/wheels)
  # Not by way of env, whose arguments all users see: an index's address may hold a password.
  (
    export "${sources[@]}"
    .venv/bin/python -m pip install --quiet --disable-pip-version-check "${found[@]}" "uv==$UV_VERSION"
  )
  .venv/bin/python -m uv --no-config pip install --quiet --python .venv --require-hashes "${found[@]}" \
    --requirement requirements.lock
  said=$({ .venv/bin/python -I -c 'import fabric, jinja2, mypy, pydantic, pytest, rich, ruff, yaml' &&
    .venv/bin/shellcheck --version; } 2>&1) ||
    fail "uv installed the Python tools, and not into .venv (${said##*$'\n'}): look for settings of uv in" \
      "the environment, and run \`provision/host.sh environment\` again"
  echo "$wanted" >.venv/requirements
}

# By a bundle, for this version of Python.
tools_brought() {
  cmp --silent .offline/requirements.lock requirements.lock && python3 -I -c '
import json, sys
with open(".offline/manifest.json") as file:
    sys.exit(json.load(file)["place"]["python"] != "%d.%d" % sys.version_info[:2])'
}

# As files for this version of Python and this processor.
download_tools() { # folder
  local sources
  sources=$(pip_sources)
  mapfile -t sources <<<"$sources"
  export "${sources[@]}"
  local download=(.venv/bin/python -m pip download --quiet --disable-pip-version-check --no-deps --only-binary :all:)
  "${download[@]}" --dest "$1" "uv==$UV_VERSION"
  "${download[@]}" --dest "$1" --require-hashes --requirement requirements.lock
}

# Settings of pip for its environment: of its files only where packages come from, and whom to trust
# for that, as `own` keeps of the caller's. The rest (target, dry-run) was meant for other folders.
pip_sources() {
  .venv/bin/python -m pip config list | .venv/bin/python -I -c '
import ast, os, sys
KEPT = {f"PIP_{name}" for name in (
    "INDEX_URL EXTRA_INDEX_URL FIND_LINKS TRUSTED_HOST CERT CLIENT_CERT PROXY TIMEOUT DEFAULT_TIMEOUT"
).split()}
print("PIP_CONFIG_FILE=/dev/null")
for line in sys.stdin:
    key, value = line.rstrip("\n").split("=", 1)
    section, name = key.split(".", 1)
    name = "PIP_" + name.upper().replace("-", "_")
    if section in ("global", "install") and name in KEPT - os.environ.keys():
        print(name, ast.literal_eval(value).strip().replace("\n", " "), sep="=")
'
}

# As lab.rb's check_folder: Python's venv takes a colon for the end of a path, ssh's and its
# clients' settings take the others for something else.
check_folder() {
  local LC_ALL=C folder
  folder=$(pwd -P && echo .)
  folder=${folder%??}
  # shellcheck disable=SC2016  # the name itself is looked for
  if [[ $folder == *[[:cntrl:]:\"~%\\]* || $folder == *'${'* ]] ||
    ! printf %s "$folder" | iconv -f UTF-8 -t UTF-8 >/dev/null 2>&1; then
    fail "$(printf %q "$folder") can't hold a lab: clone into a folder whose path has no : \" ~ % \\ \${," \
      "no control character, and is UTF-8"
  fi
}

main() {
  check_folder
  if [ "${1:-}" = wheels ]; then
    download_tools "${2:?usage: host.sh wheels FOLDER}"
    return
  fi
  local provider
  case ${1:-} in
    environment) provider=none ;;
    # For the images that its machines are given.
    test-vm) provider=docker ;;
    *) provider=$(provision/provider which) ;;
  esac
  # shellcheck disable=SC2046  # a list of words
  install_packages $(missing_packages "$provider" "${1:-}")
  make_environment &
  local environment=$!
  case $provider in
    docker)
      start_docker
      make_node_image
      ;;
    libvirt) start_libvirt ;;
    virtualbox) provision/provider works virtualbox ;;
  esac
  wait $environment
}

main "$@"
