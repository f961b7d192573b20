#!/bin/bash
# First process of the TimescaleDB image: makes the database cluster on the first start, then runs the server.
# Understands what the official image understands of POSTGRES_USER, POSTGRES_PASSWORD, POSTGRES_DB, PGDATA and of
# arguments (`postgres -c name=value`, or only `-c name=value`); any other command is run as it stands.
set -euo pipefail

: "${PGDATA:=/var/lib/postgresql/data}"
user=${POSTGRES_USER:-postgres}
database=${POSTGRES_DB:-$user}

quoted() { printf '"%s"' "${1//\"/\"\"}"; }

# The cluster is filled in single-user mode: nothing listens before the server is really ready.
make_cluster() {
    if [ -z "${POSTGRES_PASSWORD:-}" ]; then
        echo "entry: POSTGRES_PASSWORD must be set" >&2
        exit 1
    fi
    initdb --pgdata="$PGDATA" --username="$user" --pwfile=<(printf '%s\n' "$POSTGRES_PASSWORD") \
        --auth-local=trust --auth-host=scram-sha-256 --encoding=UTF8 --locale=C.UTF-8 --no-instructions >/dev/null
    echo "host all all all scram-sha-256" >>"$PGDATA/pg_hba.conf"
    # Debian's is the Apache edition: its background jobs could only log that they are not licensed.
    cat >>"$PGDATA/postgresql.conf" <<'SETTINGS'
listen_addresses = '*'
unix_socket_directories = '/var/run/postgresql'
shared_preload_libraries = 'timescaledb,pg_stat_statements'
timescaledb.telemetry_level = off
timescaledb.max_background_workers = 0
track_commit_timestamp = on
jit = off
SETTINGS
    if [ "$database" != postgres ]; then
        echo "CREATE DATABASE $(quoted "$database")" |
            postgres --single -D "$PGDATA" -c shared_preload_libraries= postgres >/dev/null
    fi
}

[ "$#" -gt 0 ] || set -- postgres
[ "${1#-}" = "$1" ] || set -- postgres "$@"
[ "$1" = postgres ] || exec "$@"

# The server refuses to run as root: prepare what only root can, then start over as its own user.
if [ "$(id -u)" = 0 ]; then
    install -d -o postgres -g postgres -m 700 "$PGDATA"
    install -d -o postgres -g postgres -m 2775 /var/run/postgresql
    exec setpriv --reuid=postgres --regid=postgres --init-groups "$0" "$@"
fi

[ -s "$PGDATA/PG_VERSION" ] || make_cluster
unset POSTGRES_PASSWORD
export PGDATA

# The engine stops a container with TERM, on which the server would wait for every client to leave; INT is the fast
# shutdown. The shell stays to translate, and as first process it reaps what is orphaned.
"$@" &
server=$!
trap 'kill -INT "$server" 2>/dev/null' TERM INT
trap 'kill -HUP "$server" 2>/dev/null' HUP
trap 'kill -QUIT "$server" 2>/dev/null' QUIT
# A wait that a signal interrupts returns while the server is still there; the one after its end gets its exit code.
while kill -0 "$server" 2>/dev/null; do
    wait "$server" || true
done
wait "$server"
