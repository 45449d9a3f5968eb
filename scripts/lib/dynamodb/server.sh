# shellcheck shell=bash
# DynamoDBLocal, AWS's own model of DynamoDB: installed into the tools folder, started on loopback and stopped. Sourced
# after tools.sh, which sets `tools`, by a script that sets `root`.
# shellcheck disable=SC2154

dynamodb_pid=
dynamodb_folder=

# Prints the folder of DynamoDBLocal's packages and of the class that starts it. Installs them if they are missing, which
# takes ten seconds.
ensure_dynamodb_local() {
    local sources="$root/scripts/lib/dynamodb" folder log
    # Each version has its own folder, so that packages of another one do not remain.
    folder="$tools/dynamodb-$(cat "$sources/pom.xml" "$sources/Loopback.java" | cksum | cut -d ' ' -f 1)"
    if [ ! -f "$folder/complete" ]; then
        if ! { have mvn && have javac && have java; } && ! apt_install maven default-jdk-headless; then
            say "missing: mvn and javac (Debian: apt-get install maven default-jdk-headless), which install DynamoDBLocal; or"
            say "name a server with STINT_DYNAMODB_URL"
            return 1
        fi
        rm -rf "$folder"
        mkdir -p "$folder/lib" "$folder/classes"
        log="$folder/install.log"
        say "installing DynamoDBLocal, AWS's own model of DynamoDB"
        if ! { mvn -q -B -f "$sources/pom.xml" dependency:copy-dependencies -DoutputDirectory="$folder/lib" &&
            javac -cp "$folder/lib/*" -d "$folder/classes" "$sources/Loopback.java"; } >"$log" 2>&1; then
            tail -n 5 "$log" >&2
            say "DynamoDBLocal cannot be installed here; name a server with STINT_DYNAMODB_URL"
            return 1
        fi
        touch "$folder/complete"
    fi
    printf '%s\n' "$folder"
}

# Starts a server, unless STINT_DYNAMODB_URL names one, and exports that variable. Must run in the script's own shell,
# which stops the server when it exits.
ensure_dynamodb() {
    [ -z "${STINT_DYNAMODB_URL:-}" ] || return 0
    local packages log url others
    packages=$(ensure_dynamodb_local) || return 1
    dynamodb_folder=$(mktemp -d)
    log="$dynamodb_folder/log"
    url="$dynamodb_folder/url"
    # In its own folder, because SQLite's library is unpacked into the current one. Little memory and quick to start: a
    # test's tables are small.
    (cd "$dynamodb_folder" && exec java -Xmx256m -XX:+UseSerialGC -XX:TieredStopAtLevel=1 -Djava.net.preferIPv4Stack=true \
        -Djava.library.path="$packages/lib" -cp "$packages/classes:$packages/lib/*" Loopback "$url") >"$log" 2>&1 &
    dynamodb_pid=$!
    # Keeps the exit traps of this script's other servers.
    others=$(trap -p EXIT | sed "s/^trap -- '\(.*\)' EXIT\$/; \1/")
    # shellcheck disable=SC2064 # Expanded now, to keep the current traps.
    trap "stop_dynamodb$others" EXIT
    # A busy machine has needed 42 seconds.
    for _ in {1..900}; do
        if [ -f "$url" ]; then
            STINT_DYNAMODB_URL=$(cat "$url")
            export STINT_DYNAMODB_URL
            say "DynamoDBLocal answers at $STINT_DYNAMODB_URL"
            return 0
        fi
        kill -0 "$dynamodb_pid" 2>/dev/null || break
        sleep 0.1
    done
    tail -n 5 "$log" >&2
    say "DynamoDBLocal does not start"
    return 1
}

# Stops the server that this script has started, and no other.
stop_dynamodb() {
    [ -n "$dynamodb_pid" ] || return 0
    kill "$dynamodb_pid" 2>/dev/null || true
    wait "$dynamodb_pid" 2>/dev/null || true
    rm -rf "$dynamodb_folder"
    dynamodb_pid=
}
