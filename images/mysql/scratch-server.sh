#!/bin/bash
# A server for itself, into which a backup is restored to be looked at: an empty data directory, no group, no
# network, nobody but this container's own processes. It needs no secret, and nothing of it outlives the container.
set -euo pipefail

readonly DATA=/var/lib/mysql/data
readonly RUN=/run/mysqld
# What it holds is thrown away, so nothing is flushed or written twice. No definition may differ from the group's.
readonly OPTIONS=(
    --no-defaults "--datadir=$DATA" --skip-log-bin --secure-file-priv=NULL --performance-schema=OFF
    --innodb-numa-interleave=OFF --innodb-doublewrite=OFF --innodb-flush-method=nosync
    --innodb-flush-log-at-trx-commit=0
)

mkdir -m 0750 "$RUN"
mysqld "${OPTIONS[@]}" --initialize-insecure
exec mysqld "${OPTIONS[@]}" --skip-networking --mysqlx=OFF "--socket=$RUN/mysqld.sock" "--pid-file=$RUN/mysqld.pid"
