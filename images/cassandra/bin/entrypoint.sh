#!/bin/bash
# Checks the settings, writes the part of Cassandra's configuration that differs between nodes, runs COMMAND.
#
# CASSANDRA_ADDRESS           the node's own IPv4 address, the only one it listens on
# CASSANDRA_SEEDS             addresses of all nodes of the ring, comma-separated
# CASSANDRA_RACK              rack, in datacenter dc1
# CASSANDRA_TOKENS            the node's four tokens, comma-separated; fixed once it has data
# CASSANDRA_HEAP              Java heap (256m)
# CASSANDRA_CLUSTER_NAME      (lab)
# CASSANDRA_AUTH_REPLICATION  replicas of the accounts in a new ring (3)
set -euo pipefail

readonly data=/var/lib/cassandra generated=/tmp/cassandra
readonly room=128 # MiB: the commit log (64) twice, as what it held is flushed before it is dropped

errors=()

expect() { # NAME PATTERN MEANING
  [[ ${!1-} =~ ^($2)$ ]] || errors+=("$1 must be $3, not '${!1-}'")
}

check_settings() {
  local address='[0-9]{1,3}(\.[0-9]{1,3}){3}' token='-?[0-9]{1,19}'
  expect CASSANDRA_ADDRESS "$address" 'an IPv4 address'
  expect CASSANDRA_SEEDS "$address(,$address)*" 'comma-separated IPv4 addresses'
  expect CASSANDRA_RACK '[A-Za-z0-9_-]+' 'a name'
  expect CASSANDRA_TOKENS "$token(,$token){3}" 'four comma-separated tokens'
  expect CASSANDRA_HEAP '[0-9]+[mg]' 'a size such as 256m'
  expect CASSANDRA_CLUSTER_NAME '[A-Za-z0-9_-]+' 'a name'
  expect CASSANDRA_AUTH_REPLICATION '[1-9]' 'a number from 1 to 9'
}

check_data() {
  [[ -w $data ]] || errors+=("$data must be writable by user $(id -u)")
  if [[ -s $data/tokens && $(<"$data/tokens") != "${CASSANDRA_TOKENS-}" ]]; then
    errors+=("CASSANDRA_TOKENS must stay what it was when $data was first used: $(<"$data/tokens")")
  fi
}

report_errors() {
  ((${#errors[@]} == 0)) && return
  printf 'cassandra: %s\n' "${errors[@]}" >&2
  exit 1
}

# A node that left the ring has handed its data over, and Cassandra would not let it in again with it. It comes
# back as a new one: a replacement of its former self, which the ring remembers for days, would never be heard.
forget_a_former_ring() {
  [[ -e $data/left ]] || return 0
  find "$data" -mindepth 1 ! -name left -delete
  echo replace >"$data/way-in" # the way that was tried last: the other one is next
  rm "$data/left"
}

# Cassandra's own record, on the disk since the moment the node joined.
has_joined() {
  grep --quiet --no-messages --text COMPLETED "$data"/data/system/local-*/*-Data.db
}

# How the node enters the ring. The nodes of a new ring found it together. Any other node that has not joined
# has to stream its share before it serves: as the replacement of its former self if the ring knows its
# address, else as a new node (bootstrap). Cassandra refuses the wrong one of the two and ends, so the next
# start tries the other.
choose_way_in() {
  if has_joined; then
    way_in=joined
    return
  fi
  case $(cat "$data/way-in" 2>/dev/null) in
    replace) way_in=bootstrap ;;
    bootstrap) way_in=replace ;;
    *) call_roll ;;
  esac
}

call_roll() {
  trap 'exit 143' TERM # the first process gets no signal that it hasn't asked for
  roll-call "$CASSANDRA_ADDRESS" "${others[@]}" >"$generated/roll-call" &
  wait $!
  way_in=$(<"$generated/roll-call")
}

write_configuration() {
  local auto_bootstrap=true seeds=$CASSANDRA_SEEDS tokens=$CASSANDRA_TOKENS options=()
  case $way_in in
    found) auto_bootstrap=false ;;
    replace) tokens='' options+=("-Dcassandra.replace_address_first_boot=$CASSANDRA_ADDRESS") ;;&
    replace | bootstrap) seeds=$(IFS=,; echo "${others[*]}") ;; # a node among its own seeds never streams
  esac
  cat /etc/cassandra/cassandra.yaml - >"$generated/cassandra.yaml" <<END
cluster_name: $CASSANDRA_CLUSTER_NAME
listen_address: $CASSANDRA_ADDRESS
rpc_address: $CASSANDRA_ADDRESS
initial_token: $tokens
auto_bootstrap: $auto_bootstrap
seed_provider:
  - class_name: org.apache.cassandra.locator.SimpleSeedProvider
    parameters:
      - seeds: "$seeds"
END
  printf 'dc=dc1\nrack=%s\n' "$CASSANDRA_RACK" >"$generated/cassandra-rackdc.properties"
  options+=("-Dcassandra.system_auth.default_rf=$CASSANDRA_AUTH_REPLICATION")
  printf '%s\n' "${options[@]}" >"$generated/jvm.options"
}

# Not again what is there already: on a full disk it would be emptied, and not written.
note() { # FILE TEXT
  [[ $(cat "$data/$1" 2>/dev/null) == "$2" ]] || echo "$2" >"$data/$1"
}

# A start on a full disk would fail, and leave a new commit log each time.
wait_for_room() {
  local free said=
  trap 'exit 143' TERM # the first process gets no signal that it hasn't asked for
  while free=$(df --block-size=1M --output=avail "$data" | tail -n 1) && ((free < room)); do
    [[ $said ]] || echo "cassandra: not started: $((free)) MiB are free in $data, and $room are needed" >&2
    said=yes
    sleep 1 &
    wait $!
  done
}

# A segment that is a header alone: version (4 bytes), number (8), length of the parameters (2), these, checksum (4).
is_spare() { # SEGMENT
  local high low
  read -r high low < <(od -An -tu1 -j12 -N2 "$1" 2>/dev/null) || true
  (($(stat --format %s "$1") <= 18 + 256 * ${high:-0} + ${low:-0}))
}

# A commit log may end amid what was being written when the disk was full or the power failed: nobody was told that
# it is there. Cassandra starts with such an end, but only of the last segment. Behind that may be spare ones, and
# those of a start that was killed amid the replay. Nobody was told of what these hold either: Cassandra deletes what
# it has replayed before it serves (5.0: AbstractCommitLogSegmentManager.handleReplayedSegment).
remove_what_follows_the_end() {
  local segment number last=0 replayed
  replayed=$(cat "$data/replaying" 2>/dev/null) || true
  compgen -G "$data/commitlog/CommitLog-*-$replayed.log" >/dev/null || replayed=
  for segment in "$data"/commitlog/CommitLog-*.log; do
    [[ -e $segment ]] || continue
    number=${segment##*-} number=${number%.log}
    if is_spare "$segment" || ((number > ${replayed:-number})); then
      rm "$segment"
    else
      last=$((number > last ? number : last))
    fi
  done
  note replaying "$last"
  sync "$data/replaying"
}

main() {
  export CASSANDRA_HEAP=${CASSANDRA_HEAP:-256m}
  CASSANDRA_CLUSTER_NAME=${CASSANDRA_CLUSTER_NAME:-lab}
  CASSANDRA_AUTH_REPLICATION=${CASSANDRA_AUTH_REPLICATION:-3}
  check_settings
  forget_a_former_ring
  check_data
  report_errors
  wait_for_room
  remove_what_follows_the_end

  mkdir -p "$generated"
  mapfile -t others < <(tr , '\n' <<<"$CASSANDRA_SEEDS" | grep -vxF "$CASSANDRA_ADDRESS")
  choose_way_in
  write_configuration
  note way-in "$way_in"
  note tokens "$CASSANDRA_TOKENS"
  exec "$@"
}

main "$@"
