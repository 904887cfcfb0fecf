#!/bin/bash
# Makes a member of the MySQL group out of an empty volume, or out of one that was a member before.
#
#   MYSQL_SERVER_ID       this server's number, from 1
#   MYSQL_ADDRESS         this server's address: 3306, 33061 and 9200 are bound to it and to nothing else
#   MYSQL_GROUP_MEMBERS   the addresses of all servers of the group, with commas between
#   MYSQL_GROUP_NAME      the group's UUID
#   MYSQL_{REPLICATION,DJANGO,MIGRATE,TEST}_PASSWORD_FILE   files that hold the accounts' passwords
set -euo pipefail

export MYSQL_REPLICATION_PASSWORD_FILE="${MYSQL_REPLICATION_PASSWORD_FILE:-/run/secrets/mysql_replication_password}"
MYSQL_DJANGO_PASSWORD_FILE="${MYSQL_DJANGO_PASSWORD_FILE:-/run/secrets/mysql_django_password}"
MYSQL_MIGRATE_PASSWORD_FILE="${MYSQL_MIGRATE_PASSWORD_FILE:-/run/secrets/mysql_migrate_password}"
MYSQL_TEST_PASSWORD_FILE="${MYSQL_TEST_PASSWORD_FILE:-/run/secrets/mysql_test_password}"

readonly DATA=/var/lib/mysql/data
readonly RUN=/run/mysqld
readonly OCTET='(25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])'
readonly IPV4="$OCTET(\.$OCTET){3}"

main() {
    check_settings
    trap 'exit 143' TERM INT # the kernel withholds from PID 1 every signal that it does not ask for
    make_run_directory
    write_identity
    if [[ ! -e $DATA ]]; then
        initialize
    fi
    exec python3 -m group_agent
}

check_settings() {
    local problems=()
    check_value MYSQL_SERVER_ID '[1-9][0-9]{0,8}' 'a number from 1'
    check_value MYSQL_ADDRESS "$IPV4" 'an IPv4 address'
    check_value MYSQL_GROUP_MEMBERS "$IPV4(,$IPV4)*" 'IPv4 addresses with commas between'
    check_value MYSQL_GROUP_NAME '[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}' 'a UUID in lower case'
    if [[ ,${MYSQL_GROUP_MEMBERS:-}, != *",${MYSQL_ADDRESS:-},"* ]]; then
        problems+=("MYSQL_GROUP_MEMBERS is '${MYSQL_GROUP_MEMBERS:-}'; expected MYSQL_ADDRESS to be one of them")
    fi
    check_password MYSQL_REPLICATION_PASSWORD_FILE 32 # the most that replication takes
    check_password MYSQL_DJANGO_PASSWORD_FILE 256
    check_password MYSQL_MIGRATE_PASSWORD_FILE 256
    check_password MYSQL_TEST_PASSWORD_FILE 256
    if ((${#problems[@]})); then
        printf 'mysql: %s\n' "${problems[@]}" >&2
        exit 1
    fi
}

check_value() { # name, pattern, description
    if [[ ! ${!1:-} =~ ^($2)$ ]]; then
        problems+=("$1 is '${!1:-}'; expected $3")
    fi
}

check_password() { # name, longest
    if [[ ! -r ${!1} ]]; then
        problems+=("$1 is '${!1}'; expected a file that user $(id -un) can read")
    elif [[ ! $(< "${!1}") =~ ^[A-Za-z0-9]{16,$2}$ ]]; then
        problems+=("$1 is '${!1}'; expected in it 16 to $2 letters and digits")
    fi
}

make_run_directory() {
    rm -rf "$RUN" # a lock file left by a killed server stops the next one: its process id is in use again
    mkdir -m 0750 "$RUN"
}

write_identity() {
    cat > "$RUN/identity.cnf" << EOF
[mysqld]
server_id = $MYSQL_SERVER_ID
bind_address = $MYSQL_ADDRESS
admin_address = $MYSQL_ADDRESS
report_host = $MYSQL_ADDRESS
group_replication_group_name = $MYSQL_GROUP_NAME
group_replication_local_address = $MYSQL_ADDRESS:33061
group_replication_group_seeds = ${MYSQL_GROUP_MEMBERS//,/:33061,}:33061
EOF
}

initialize() {
    rm -rf "$DATA.new" # an initialization that was cut off
    (umask 077 && write_accounts > "$RUN/accounts.sql")
    # Nothing here needs to survive a crash: what is incomplete is thrown away. So no page is written twice or flushed
    # before the one sync at the end. Without a binary log the accounts have no GTIDs, and the servers do not diverge.
    mysqld --no-defaults --initialize-insecure --datadir="$DATA.new" --init-file="$RUN/accounts.sql" \
        --secure-file-priv=NULL --skip-log-bin --performance-schema=OFF --innodb-numa-interleave=OFF \
        --innodb-doublewrite=OFF --innodb-flush-method=nosync
    rm "$RUN/accounts.sql"
    sync --file-system "$DATA.new"
    mv "$DATA.new" "$DATA"
}

write_accounts() {
    cat << EOF
INSTALL PLUGIN auth_socket SONAME 'auth_socket.so';
ALTER USER root@localhost IDENTIFIED WITH auth_socket AS 'mysql';

CREATE USER group_agent@localhost IDENTIFIED WITH auth_socket AS 'mysql';
GRANT GROUP_REPLICATION_ADMIN, SYSTEM_VARIABLES_ADMIN, CONNECTION_ADMIN, PROCESS ON *.* TO group_agent@localhost;
GRANT SELECT ON performance_schema.replication_connection_status TO group_agent@localhost;
GRANT SELECT ON performance_schema.replication_group_members TO group_agent@localhost;

CREATE USER replication IDENTIFIED BY '$(< "$MYSQL_REPLICATION_PASSWORD_FILE")' REQUIRE SSL;
GRANT REPLICATION SLAVE, BACKUP_ADMIN, GROUP_REPLICATION_STREAM, SERVICE_CONNECTION_ADMIN ON *.* TO replication;

CREATE USER django IDENTIFIED BY '$(< "$MYSQL_DJANGO_PASSWORD_FILE")' REQUIRE SSL;
GRANT SELECT, INSERT, UPDATE, DELETE ON djangodb.* TO django;

CREATE USER django_migrate IDENTIFIED BY '$(< "$MYSQL_MIGRATE_PASSWORD_FILE")' REQUIRE SSL;
GRANT ALL ON djangodb.* TO django_migrate;

CREATE USER django_test IDENTIFIED BY '$(< "$MYSQL_TEST_PASSWORD_FILE")' REQUIRE SSL;
GRANT ALL ON \`test\_djangodb\`.* TO django_test;
EOF
}

main
