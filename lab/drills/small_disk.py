"""A database server on a small disk of its own, so that filling it fills nobody else's. Pure.

The small disk is a tmpfs that lies over the volume, with a copy of what the server had; what
it has then is copied back. It is in the node's memory, and gone with the node: what boots again
boots with the volume as it was, and with what the other servers have.

Each script is given the container and the volume's folder on the node.
"""

from __future__ import annotations

VOLUMES_FOLDER = "/var/lib/docker/volumes"
# MiB: what is free on a small disk; the most that may be copied to it, as it takes memory.
FREE, MOST = 256, 640
# Seconds until the server is well on its small disk.
HEALTHY_SECONDS = 180

OWN, COPIED = "/run/lab/under-a-small-disk", "/run/lab/small-disk-is-copied"
FILLER = "filled-by-a-drill"

# Its former data are reached below the small disk by a second way to them.
GIVE = f"""
used=$(du --summarize --block-size=1M "$2" | cut -f 1)
if ((used > {MOST})); then
  echo "$1 has $used MiB, more than {MOST}, on $2: too much for a small disk in memory" >&2
  exit 1
fi
docker stop "$1"
mkdir -p {OWN}
mount --bind "$2" {OWN}
mount -t tmpfs -o "size=$((used + {FREE}))m,mode=0700" small-disk "$2"
cp --archive {OWN}/. "$2"
touch "$2/{FILLER}"
umount {OWN}
docker start "$1"
for ((second = 0; second < {HEALTHY_SECONDS}; second++)); do
  [[ $(docker inspect --format '{{{{.State.Health.Status}}}}' "$1") != healthy ]] || exit 0
  sleep 1
done
echo "$1: not healthy on its small disk within {HEALTHY_SECONDS} s" >&2
exit 1
"""
# Also after a GIVE or a TAKE that was cut off: a copy without FILLER is not complete, and nobody
# used it. A node that booted since lost the small disk, and has gone on with the volume as it was.
TAKE = f"""
if mountpoint --quiet {OWN}; then umount {OWN}; fi
if mountpoint --quiet "$2"; then
  docker stop "$1"
  rm -rf "$2.new"
  if [[ -e $2/{FILLER} ]]; then
    truncate --size 0 "$2/{FILLER}"
    cp --archive "$2" "$2.new"
    rm "$2.new/{FILLER}"
    touch {COPIED}
  fi
  umount "$2"
fi
if [[ -e {COPIED} || ! -e $2 ]]; then
  if [[ -e $2.new ]]; then
    if [[ -e $2 ]]; then
      rm -rf "$2.old"
      mv "$2" "$2.old"
    fi
    mv "$2.new" "$2"
  fi
  rm -f {COPIED}
fi
rm -rf "$2.old" "$2.new"
docker start "$1"
"""
# Never the node's own disk, which is the machine's.
FILL = f"""
mountpoint "$2"
! dd if=/dev/zero of="$2/{FILLER}" bs=64K status=none
"""
EMPTY = f"""
if mountpoint --quiet "$2"; then truncate --size 0 "$2/{FILLER}"; fi
"""

BECOME_PRIMARY = (
    'docker exec "$1" mysql -uroot'
    " --execute 'SELECT group_replication_set_as_primary(@@server_uuid)'"
)


def volume(name: str) -> str:
    """The folder of a volume on its node."""
    return f"{VOLUMES_FOLDER}/{name}/_data"
