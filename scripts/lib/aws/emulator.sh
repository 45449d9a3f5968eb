# shellcheck shell=bash
# The AWS emulator: installed into the tools folder, started and stopped. Sourced after tools.sh, which sets `tools`, by
# a script that sets `root`.
# shellcheck disable=SC2154

emulator_pid=

# Prints the folder of moto's packages. Installs them if they are missing, which takes half a minute.
ensure_moto() {
    local requirements="$root/scripts/lib/aws/requirements.txt" folder log
    # Each list of requirements has its own folder, so that packages of an older list do not remain.
    folder="$tools/moto-$(cksum <"$requirements" | cut -d ' ' -f 1)"
    if [ ! -f "$folder/complete" ]; then
        rm -rf "$folder"
        mkdir -p "$folder"
        log="$folder/install.log"
        say "installing moto, the emulator of AWS"
        if ! python3 -m pip install --quiet --no-input --disable-pip-version-check --no-deps \
            --target "$folder" --requirement "$requirements" >"$log" 2>&1; then
            tail -n 5 "$log" >&2
            say "missing: moto. It needs python3 with pip, and the packages of scripts/lib/aws/requirements.txt"
            return 1
        fi
        touch "$folder/complete"
    fi
    printf '%s\n' "$folder"
}

# Starts the emulator, unless STINT_AWS_EMULATOR_URL names one, and exports that variable. Must run in the script's own
# shell, which stops the emulator when it exits.
ensure_aws_emulator() {
    [ -z "${STINT_AWS_EMULATOR_URL:-}" ] || return 0
    local packages file log
    packages=$(ensure_moto) || return 1
    file="$tools/aws-emulator-$$.url"
    log="$tools/aws-emulator-$$.log"
    rm -f "$file"
    PYTHONPATH="$packages" python3 "$root/scripts/lib/aws/emulator.py" "$file" >"$log" 2>&1 &
    emulator_pid=$!
    trap stop_aws_emulator EXIT
    for _ in {1..300}; do
        if [ -f "$file" ]; then
            STINT_AWS_EMULATOR_URL=$(cat "$file")
            export STINT_AWS_EMULATOR_URL
            rm -f "$file"
            say "the emulator of AWS answers at $STINT_AWS_EMULATOR_URL"
            return 0
        fi
        kill -0 "$emulator_pid" 2>/dev/null || break
        sleep 0.1
    done
    tail -n 5 "$log" >&2
    say "the emulator of AWS does not start; its output is in $log"
    return 1
}

# Stops the emulator that this script has started, and no other.
stop_aws_emulator() {
    [ -n "$emulator_pid" ] || return 0
    kill "$emulator_pid" 2>/dev/null || true
    wait "$emulator_pid" 2>/dev/null || true
    rm -f "$tools/aws-emulator-$$.log" "$tools/aws-emulator-$$.url"
    emulator_pid=
}
