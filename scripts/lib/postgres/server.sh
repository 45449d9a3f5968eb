# shellcheck shell=bash
# PostgreSQL servers for tests: found or installed, started and stopped. Sourced after tools.sh by a script that sets
# `root`. Two servers: the tests share the first; the second is stopped and started in the middle of a test.
# shellcheck disable=SC2154

postgres_folder=
postgres_servers=()

# Prints the folder with the server's programs. Installs Debian's package if there is none.
find_postgres() {
    local folder
    for folder in "$(dirname "$(command -v initdb || echo /none)")" /usr/lib/postgresql/*/bin; do
        if [ -x "$folder/initdb" ] && [ -x "$folder/postgres" ] && [ -x "$folder/pg_ctl" ]; then
            readlink -f "$folder"
            return 0
        fi
    done
    return 1
}

# Debian starts a cluster of its own when the package is installed, unless a file forbids it.
install_postgres() {
    local as_root=() folder=/etc/postgresql-common/createcluster.d
    [ "$(id -u)" -eq 0 ] || as_root=(sudo -n)
    if [ ! -e /etc/postgresql-common/createcluster.conf ] && "${as_root[@]}" mkdir -p "$folder" 2>/dev/null; then
        echo "create_main_cluster = false" | "${as_root[@]}" tee "$folder/stint-tests.conf" >/dev/null || true
    fi
    apt_install postgresql
}

# Starts the servers, unless STINT_POSTGRES_URL names one, and exports the variables of the tests:
#   STINT_POSTGRES_URL       a server that the tests share, with an administrator's name and password
#   STINT_POSTGRES_CA        the certificate that has signed the server's, which is for "localhost"
#   STINT_POSTGRES_RESTART   a program that stops the second server (stop), starts it (start), or prints its address (url)
# Must run in the script's own shell, which stops the servers when it exits.
ensure_postgres() {
    [ -z "${STINT_POSTGRES_URL:-}" ] || return 0
    local programs others
    have openssl || apt_install openssl || true
    if ! programs=$(find_postgres) && ! { install_postgres && programs=$(find_postgres); }; then
        say "missing: PostgreSQL's server (Debian: apt-get install postgresql); or name a server with STINT_POSTGRES_URL"
        return 1
    fi
    postgres_folder=$(mktemp -d)
    # Keeps the exit traps of this script's other servers.
    others=$(trap -p EXIT | sed "s/^trap -- '\(.*\)' EXIT\$/; \1/")
    # shellcheck disable=SC2064 # Expanded now, to keep the current traps.
    trap "stop_postgres$others" EXIT
    if ! start_postgres "$programs" >"$postgres_folder/log" 2>&1; then
        tail -n 5 "$postgres_folder/log" "$postgres_folder"/*/log >&2
        say "PostgreSQL does not start"
        return 1
    fi
    STINT_POSTGRES_URL=$("$postgres_folder/first/control" url)
    STINT_POSTGRES_CA="$postgres_folder/ca.pem"
    STINT_POSTGRES_RESTART="$postgres_folder/second/control"
    export STINT_POSTGRES_URL STINT_POSTGRES_CA STINT_POSTGRES_RESTART
    say "PostgreSQL answers at ${STINT_POSTGRES_URL#*@}"
}

# Creates the data folder once and copies it for the second server.
start_postgres() {
    local programs=$1 as_server=()
    # The server refuses to run as root.
    if [ "$(id -u)" -eq 0 ]; then
        as_server=(setpriv "--reuid=$(unprivileged_user)" "--regid=$(unprivileged_user -g)" --clear-groups)
    fi
    chmod 755 "$postgres_folder"
    make_certificates || return 1
    mkdir "$postgres_folder/first" "$postgres_folder/second"
    echo stint >"$postgres_folder/password"
    if [ "$(id -u)" -eq 0 ]; then chown -R "$(unprivileged_user)" "$postgres_folder"; fi
    "${as_server[@]}" "$programs/initdb" --no-sync --no-instructions --encoding UTF8 --locale C --username stint \
        --auth scram-sha-256 --pwfile "$postgres_folder/password" --pgdata "$postgres_folder/first/data" || return 1
    cp -a "$postgres_folder/first/data" "$postgres_folder/second/data" || return 1
    start_one "$postgres_folder/first" "$programs" && start_one "$postgres_folder/second" "$programs"
}

# Prints the user, or with -g the group, that runs the servers for root.
unprivileged_user() {
    local name
    for name in postgres nobody; do
        if id "${1:--u}" "$name" 2>/dev/null; then return 0; fi
    done
    return 1
}

# An authority, and a certificate for the name "localhost" that is not for the address 127.0.0.1.
make_certificates() {
    local folder=$postgres_folder
    openssl req -x509 -newkey rsa:2048 -nodes -days 30 -subj "/CN=tests of Stint" \
        -addext "basicConstraints=critical,CA:TRUE" -keyout "$folder/ca.key" -out "$folder/ca.pem" &&
        openssl req -newkey rsa:2048 -nodes -subj "/CN=localhost" -keyout "$folder/server.key" -out "$folder/server.csr" &&
        openssl x509 -req -in "$folder/server.csr" -CA "$folder/ca.pem" -CAkey "$folder/ca.key" -CAcreateserial \
            -days 30 -extfile <(echo "subjectAltName=DNS:localhost") -out "$folder/server.pem" || return 1
    chmod 600 "$folder/server.key"
    chmod 644 "$folder/ca.pem"
}

# Writes the program that controls a server, and starts the server with it. The server listens only on the loopback
# address, and the file system is not waited for: what a test stores is worth nothing.
start_one() {
    local folder=$1 programs=$2 port
    port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
    cat >>"$folder/data/postgresql.conf" <<SETTINGS
listen_addresses = '127.0.0.1'
port = $port
unix_socket_directories = ''
fsync = off
synchronous_commit = off
full_page_writes = off
max_connections = 200
shared_buffers = 64MB
ssl = on
ssl_cert_file = '$postgres_folder/server.pem'
ssl_key_file = '$postgres_folder/server.key'
SETTINGS
    cat >"$folder/control" <<CONTROL
#!/usr/bin/env bash
set -eu
case "\$1" in
    url) echo "postgres://stint:stint@127.0.0.1:$port/postgres" ;;
    start) exec ${as_server[*]} "$programs/pg_ctl" --pgdata "$folder/data" --log "$folder/log" --wait start ;;
    stop) exec ${as_server[*]} "$programs/pg_ctl" --pgdata "$folder/data" --mode "\${2:-fast}" --wait stop ;;
esac
CONTROL
    chmod 755 "$folder/control"
    "$folder/control" start && postgres_servers+=("$folder")
}

# Stops the servers that this script has started, and no others: pg_ctl finds each by the process id in its data folder.
stop_postgres() {
    local folder
    [ -n "$postgres_folder" ] || return 0
    for folder in "${postgres_servers[@]}"; do
        "$folder/control" stop immediate >/dev/null 2>&1 || true
    done
    rm -rf "$postgres_folder"
    postgres_folder=
}
