#!/usr/bin/env -S bash -p
# Builds the node image of the docker provider, tagged as the first argument says; loads it where a bundle has brought it.
set -euo pipefail
[ -n "${LAB_OWN:-}" ] || exec "$(dirname "$0")/own" "$0" "$@"
cd "$(dirname "$0")"

main() {
  local image=${1:?usage: node-image.sh IMAGE:TAG}
  local brought=../.offline/${image/:/-}.tar.gz
  if [ -e "$brought" ]; then
    echo "lab: loading the node image $image of the bundle"
    docker load --quiet --input "$brought" >/dev/null
    return
  fi
  if ! docker image inspect debian:trixie-slim >/dev/null 2>&1; then
    # It calls lab-base-image by name, which has a folder of its own (lab/release/images.py, BASE_SCRIPT).
    PATH=$PWD/node/files:$PATH ./node/sbin/lab-import-base
  fi
  echo "lab: building the node image $image"
  # Only this client's environment decides: the classic builder is there on every engine.
  DOCKER_BUILDKIT=0 docker build --quiet --tag "$image" node >/dev/null
}

main "$@"
