# shellcheck shell=bash
# Applies infra/ to an emulator of its own. Sourced after lib/tools.sh, lib/aws/emulator.sh, lib/lambda.sh and lib/infra's
# tools.sh and evaluation.sh.
# shellcheck disable=SC2154

# The Python modules of the scripts in lib/infra/apply.
apply_path() {
    local moto plugin
    moto=$(ensure_moto) || return 1
    plugin=$(ensure_wheels terraform-plugin) || return 1
    printf '%s:%s:%s:%s\n' "$here/apply" "$here" "$plugin" "$moto"
}

# Starts an emulator that has nothing in it. Must run in the script's own shell, which stops it when it exits.
ensure_empty_emulator() {
    unset STINT_AWS_EMULATOR_URL
    # Where it has AWS's own policies, attaching one that does not exist fails.
    MOTO_IAM_LOAD_MANAGED_POLICIES=true ensure_aws_emulator
}

# copy_infra FOLDER: copies infra/, with an empty package for each fleet, so that what Terraform writes stays out of the
# repository.
copy_infra() {
    cp -R infra/. "$1"
    rm -rf "$1/.terraform"
    mkdir -p "$1/packages"
    packages | while read -r fleet; do
        # An empty archive.
        printf 'PK\005\006\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0' >"$1/packages/stint-$fleet-arm64.zip"
    done
}

# region_of and prefix_of VARIABLES…: print the region and the prefix of an installation.
region_of() { value_of region "" "$@"; }
prefix_of() { value_of prefix stint "$@"; }

# value_of NAME DEFAULT VARIABLES…: prints the last value that is given, or the default.
value_of() {
    local name=$1 value=$2
    shift 2
    while [ "$#" -gt 0 ]; do
        [[ $1 != "$name="* ]] || value=${1#*=}
        shift
    done
    printf '%s\n' "$value"
}
