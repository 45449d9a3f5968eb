# shellcheck shell=bash
# Runs a script as a series of named, timed steps, with a summary line at the end. Sourced.

passed=0
failed=()
skipped=()
running=

# Each step is its own process group, so that interrupting the script ends everything that it has started.
set -m

interrupted() {
    trap - INT TERM HUP
    if [ -n "$running" ]; then
        kill -TERM -- "-$running" 2>/dev/null || true
        wait "$running" 2>/dev/null || true
    fi
    printf '\n%s: interrupted\n' "$0" >&2
    exit 130
}
trap interrupted INT TERM HUP

# step NAME COMMAND…: runs the command without standard input. The script continues even if the command fails.
step() {
    local name=$1 start=$SECONDS code=0
    shift
    printf '\n== %s\n' "$name"
    # Commands that ensure a tool run in this shell, so that their exports remain.
    if [[ $1 == ensure_* ]]; then
        "$@" </dev/null || code=$?
    else
        (
            set -e
            "$@"
        ) </dev/null &
        running=$!
        wait "$running" || code=$?
        running=
    fi
    if [ "$code" -eq 0 ]; then
        passed=$((passed + 1))
        printf -- '-- %s: passed in %s s\n' "$name" "$((SECONDS - start))"
    else
        failed+=("$name")
        printf -- '-- %s: FAILED with exit code %s in %s s\n' "$name" "$code" "$((SECONDS - start))"
    fi
}

# skip NAME REASON: reports that a step does not run.
skip() {
    skipped+=("$1")
    printf '\n== %s\n-- %s: skipped: %s\n' "$1" "$1" "$2"
}

# Ends the script if a step that the others need has failed.
stop_if_failed() {
    [ "${#failed[@]}" -eq 0 ] && return
    summary || true
    exit 1
}

# Prints the last line. Fails if a step has failed.
summary() {
    local line="$passed steps passed"
    [ "${#failed[@]}" -eq 0 ] || line+=", ${#failed[@]} failed (${failed[*]})"
    [ "${#skipped[@]}" -eq 0 ] || line+=", ${#skipped[@]} skipped (${skipped[*]})"
    printf '\n%s: %s in %s s\n' "scripts/${0##*/}" "$line" "$SECONDS"
    [ "${#failed[@]}" -eq 0 ]
}
