# shellcheck shell=bash
# A MongoDB server for tests: found or built, started and stopped. Sourced after tools.sh, which sets `tools`, by a
# script that sets `root`.
# shellcheck disable=SC2154

mongodb_pid=
mongodb_folder=

# Prints the path of FerretDB, which implements MongoDB's protocol over SQLite. Builds it if it is missing, which takes
# three minutes.
ensure_ferretdb() {
    local sources="$root/scripts/ferretdb" version binary log
    version=$(cat "$sources"/*.go "$sources/go.mod" "$sources/go.sum" | cksum | cut -d ' ' -f 1)
    binary="$tools/ferretdb-$version/ferretdb"
    if [ ! -x "$binary" ]; then
        if ! have go; then
            say "missing: go 1.24 or newer, which builds FerretDB from scripts/ferretdb; or put mongod on the path, or"
            say "name a server with MONGODB_URI"
            return 1
        fi
        mkdir -p "${binary%/*}"
        log="$binary.log"
        say "building FerretDB, a server that speaks MongoDB's protocol"
        if ! (cd "$sources" && CGO_ENABLED=0 go build -buildvcs=false -o "$binary" .) >"$log" 2>&1; then
            tail -n 5 "$log" >&2
            say "FerretDB cannot be built here; put mongod on the path, or name a server with MONGODB_URI"
            return 1
        fi
    fi
    printf '%s\n' "$binary"
}

# Starts a server, unless MONGODB_URI names one, and exports that variable. A mongod on PATH is preferred to FerretDB.
# Must run in the script's own shell, which stops the server when it exits.
ensure_mongodb() {
    [ -z "${MONGODB_URI:-}" ] || return 0
    local others log uri
    mongodb_folder=$(mktemp -d)
    log="$mongodb_folder/log"
    uri="$mongodb_folder/uri"
    if have mongod; then
        start_mongod "$log" "$uri"
    else
        start_ferretdb "$log" "$uri" || { rm -rf "$mongodb_folder" && return 1; }
    fi
    # Keeps the exit traps of this script's other servers.
    others=$(trap -p EXIT | sed "s/^trap -- '\(.*\)' EXIT\$/; \1/")
    # shellcheck disable=SC2064 # Expanded now, to keep the current traps.
    trap "stop_mongodb$others" EXIT
    for _ in {1..300}; do
        if [ -f "$uri" ]; then
            MONGODB_URI=$(cat "$uri")
            export MONGODB_URI
            say "a MongoDB server answers at $MONGODB_URI"
            return 0
        fi
        kill -0 "$mongodb_pid" 2>/dev/null || break
        sleep 0.1
    done
    tail -n 5 "$log" >&2
    say "the MongoDB server does not start"
    return 1
}

start_ferretdb() {
    local binary
    binary=$(ensure_ferretdb) || return 1
    mkdir "$mongodb_folder/data"
    "$binary" "$mongodb_folder/data" "$2" >"$1" 2>&1 &
    mongodb_pid=$!
}

# mongod cannot pick a free port itself, so one is determined just before.
start_mongod() {
    local port
    port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
    mkdir "$mongodb_folder/data"
    mongod --dbpath "$mongodb_folder/data" --bind_ip 127.0.0.1 --port "$port" >"$1" 2>&1 &
    mongodb_pid=$!
    for _ in {1..300}; do
        if (: <"/dev/tcp/127.0.0.1/$port") 2>/dev/null; then
            printf 'mongodb://127.0.0.1:%s/\n' "$port" >"$2"
            return
        fi
        kill -0 "$mongodb_pid" 2>/dev/null || return 0
        sleep 0.1
    done
}

# Stops the server that this script has started, and no other.
stop_mongodb() {
    [ -n "$mongodb_pid" ] || return 0
    kill "$mongodb_pid" 2>/dev/null || true
    wait "$mongodb_pid" 2>/dev/null || true
    rm -rf "$mongodb_folder"
    mongodb_pid=
}
