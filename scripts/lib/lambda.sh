# shellcheck shell=bash
# Installs the tools that build the package for Lambda. Sourced after tools.sh, which sets `tools`.
# shellcheck disable=SC2154

cargo_lambda_version=1.9.2
zig_version=0.15.2

# Ensures cargo-lambda and zig, which links against the glibc of Amazon Linux 2023 whatever the glibc of this machine,
# and adds both to PATH. Their wheels on PyPI contain the binaries.
ensure_cargo_lambda() {
    local folder="$tools/lambda-$cargo_lambda_version-$zig_version" log
    if [ ! -f "$folder/complete" ]; then
        rm -rf "$folder"
        mkdir -p "$folder"
        log="$folder/install.log"
        say "installing cargo-lambda $cargo_lambda_version and zig $zig_version"
        if ! python3 -m pip install --quiet --no-input --disable-pip-version-check --no-deps --target "$folder" \
            "cargo-lambda==$cargo_lambda_version" "ziglang==$zig_version" >"$log" 2>&1; then
            tail -n 5 "$log" >&2
            say "missing: cargo-lambda and zig. They need python3 with pip"
            return 1
        fi
        touch "$folder/complete"
    fi
    export PATH="$folder/bin:$folder/ziglang:$PATH"
}

# Prints the table of packages, with one line `FLEET = ["FEATURE", …]` for each.
table_of_packages() {
    sed -n '/^\[package.metadata.packages\]/,/^$/p' "$root/workers/stint/Cargo.toml" | grep ' = '
}

# Prints the fleets that have a package.
packages() {
    table_of_packages | cut -d ' ' -f 1
}

# features_of FLEET: prints the features of a fleet's package, beginning with the fleet.
features_of() {
    table_of_packages | sed -n "s/^$1 = \\[\\(.*\\)\\]/$1, \\1/p" | tr -d '" '
}

# Prints the target of an architecture in Lambda's naming.
target_of() {
    case $1 in
        x86_64) printf 'x86_64-unknown-linux-gnu\n' ;;
        arm64) printf 'aarch64-unknown-linux-gnu\n' ;;
        *) return 1 ;;
    esac
}

# Returns whether the standard library of a target is installed.
has_target() {
    [ -d "$(rustc --print sysroot)/lib/rustlib/$1/lib" ]
}
