# shellcheck shell=bash
# The tools that check infra/, installed into the tools folder. Sourced after lib/tools.sh, which sets it.
# shellcheck disable=SC2154

# The types of the AWS provider 6.25.0. `provider` in the files of infra asks for this version or a later 6.
types_version=21.22.1
types_sha256=d1446ab6ac6526c6fab4b28a5ebefdd90c0ce56203949925d35a4d286c05cbbf
here=$(dirname "${BASH_SOURCE[0]}")

# ensure_wheels PACKAGE: installs a package from PyPI with everything that its list names, and prints the folder.
ensure_wheels() {
    local package=$1 requirements="$here/requirements-$1.txt" folder log
    # Each list of requirements has its own folder, so that packages of an older list do not remain.
    folder="$tools/$package-$(cksum <"$requirements" | cut -d ' ' -f 1)"
    if [ ! -f "$folder/complete" ]; then
        rm -rf "$folder"
        mkdir -p "$folder"
        log="$folder/install.log"
        say "installing $package"
        if ! python3 -m pip install --quiet --no-input --disable-pip-version-check --no-deps \
            --target "$folder" --requirement "$requirements" >"$log" 2>&1; then
            tail -n 5 "$log" >&2
            say "missing: $package. It needs python3 with pip (Debian: apt-get install python3-pip)"
            return 1
        fi
        touch "$folder/complete"
    fi
    printf '%s\n' "$folder"
}

# Downloads the types of the provider, and prints their folder.
ensure_types() {
    local folder="$tools/provider-aws-$types_version" package
    if [ ! -f "$folder/complete" ]; then
        if ! have npm; then
            say "missing: npm, which fetches the provider's types (Debian: apt-get install npm)"
            return 1
        fi
        say "fetching the types of the AWS provider, 37 MB"
        fetch_types "$folder" || return 1
    fi
    printf '%s\n' "$folder"
}

# Each step's status is checked: a shell does not exit on an error in a function whose output is captured.
fetch_types() {
    local folder=$1 package="$1/cdktf-provider-aws-$types_version.tgz"
    rm -rf "$folder" && mkdir -p "$folder" &&
        (cd "$folder" && npm pack --silent --ignore-scripts "@cdktf/provider-aws@$types_version") >/dev/null &&
        printf '%s  %s\n' "$types_sha256" "$package" | sha256sum --check --quiet >&2 &&
        python3 "$here/check.py" --unpack "$package" "$folder" &&
        rm "$package" &&
        touch "$folder/complete"
}
