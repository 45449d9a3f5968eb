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

# The second server: mongo-java-server, in memory. A change of a document is atomic in it by itself.
mongodb_second_pid=
mongodb_second_folder=

# Prints the class path of the second server. Fetches its libraries and compiles it if they are missing, which takes
# half a minute.
ensure_mongodb_second_classes() {
    local sources="$root/scripts/lib/mongodb/atomic" version folder log
    version=$(cat "$sources"/* | cksum | cut -d ' ' -f 1)
    folder="$tools/mongodb-second-$version"
    if [ ! -f "$folder/classes/Server.class" ]; then
        if ! have mvn || ! have javac; then
            apt_install maven default-jdk-headless || true
        fi
        if ! have mvn || ! have javac; then
            say "missing: mvn and javac, which build the second MongoDB server (Debian: apt-get install maven"
            say "default-jdk-headless); or name such a server with STINT_MONGODB_ATOMIC_URI"
            return 1
        fi
        mkdir -p "$folder/lib" "$folder/classes"
        log="$folder.log"
        say "building the second MongoDB server"
        if ! {
            mvn --batch-mode --quiet --file "$sources/pom.xml" dependency:copy-dependencies \
                -DoutputDirectory="$folder/lib" &&
                javac -cp "$folder/lib/*" -d "$folder/classes" "$sources/Server.java"
        } >"$log" 2>&1; then
            tail -n 5 "$log" >&2
            say "the second MongoDB server cannot be built here; name one with STINT_MONGODB_ATOMIC_URI"
            return 1
        fi
    fi
    printf '%s\n' "$folder/classes:$folder/lib/*"
}

# Starts the second server, unless STINT_MONGODB_ATOMIC_URI names one, and exports that variable. Must run in the
# script's own shell, which stops the server when it exits.
ensure_mongodb_second() {
    [ -z "${STINT_MONGODB_ATOMIC_URI:-}" ] || return 0
    local classes others log uri
    classes=$(ensure_mongodb_second_classes) || return 1
    mongodb_second_folder=$(mktemp -d)
    log="$mongodb_second_folder/log"
    uri="$mongodb_second_folder/uri"
    java -Xmx512m -cp "$classes" Server "$uri" >"$log" 2>&1 &
    mongodb_second_pid=$!
    others=$(trap -p EXIT | sed "s/^trap -- '\(.*\)' EXIT\$/; \1/")
    # shellcheck disable=SC2064 # Expanded now, to keep the current traps.
    trap "stop_mongodb_second$others" EXIT
    for _ in {1..300}; do
        if [ -f "$uri" ]; then
            STINT_MONGODB_ATOMIC_URI=$(cat "$uri")
            export STINT_MONGODB_ATOMIC_URI
            say "the second MongoDB server answers at $STINT_MONGODB_ATOMIC_URI"
            return 0
        fi
        kill -0 "$mongodb_second_pid" 2>/dev/null || break
        sleep 0.1
    done
    tail -n 5 "$log" >&2
    say "the second MongoDB server does not start"
    return 1
}

# Stops the second server that this script has started, and no other.
stop_mongodb_second() {
    [ -n "$mongodb_second_pid" ] || return 0
    kill "$mongodb_second_pid" 2>/dev/null || true
    wait "$mongodb_second_pid" 2>/dev/null || true
    rm -rf "$mongodb_second_folder"
    mongodb_second_pid=
}
