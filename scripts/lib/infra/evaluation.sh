# shellcheck shell=bash
# Lets Terraform itself evaluate infra/, offline: in a copy without AWS. Sourced after lib/infra/tools.sh.
# shellcheck disable=SC2154

# Values that a person would give.
given=(
    -var region=eu-west-1 -var package=package.zip -var alarm_email=you@example.org
    -var lua_repository=https://example.org/databases.git
)

# The other ways through the optional ones.
chosen=(
    -var discovery_source=reports -var reserve_concurrency=false -var secrets_key_arn=arn:aws:kms:key
    -var 'settings={WCL_METRIC="dps",POE_REALM="sony",POE_LAG_ALARM_SECONDS="60"}' -var 'network={subnet_ids=["a"],security_group_ids=["b"]}'
    -var 'poe_stashes={client_id="shop",contact="you@example.org",bucket="pages"}'
)

# Values that must be refused, each by the variable that it is for.
refused=(
    region=Europe package=bootstrap alarm_email=me concurrency_limit=1 discovery_source=guild log_retention_days=31
    lua_repository=git@example.org:databases.git lua_repository=http://example.org/databases.git
    lua_repository=https://token@example.org/databases.git
    monthly_budget_usd=0 oldest_message_hours=336 secret_path=stint/ 'settings={WCL_KEYS="id:secret"}'
    'settings={CONCURRENCY_LIMIT="5"}' 'settings={POE_CLIENT_SECRET="hidden"}' 'settings={POE_CONTACT="you@example.org"}'
)

# evaluate TYPES WHEELS: applies the copy with what is given and with what is chosen, and offers what must be refused.
evaluate() {
    local copy variables value
    copy=$(mktemp -d)
    variables=$(mktemp -d)
    PYTHONPATH="$2" python3 "$here/stand_in.py" "$1" infra "$copy"
    touch "$copy/package.zip"
    quietly "$copy" init -input=false
    quietly "$copy" apply -auto-approve -input=false "${given[@]}"
    quietly "$copy" apply -auto-approve -input=false "${given[@]}" "${chosen[@]}"
    # Variables are validated by themselves, which is faster.
    cp infra/variables.tf "$variables"
    quietly "$variables" plan -input=false "${given[@]}"
    for value in "${refused[@]}"; do
        if quietly "$variables" plan -input=false "${given[@]}" -var "$value" 2>/dev/null; then
            say "infra/variables.tf: ${value%%=*} takes $value, and must not"
            return 1
        fi
        # It was refused for itself, and not because there is no such variable.
        grep -q "variable \"${value%%=*}\"" "$variables/log"
    done
    rm -rf "$copy" "$variables"
    printf 'evaluated twice, and refused %s values\n' "${#refused[@]}"
}

# quietly FOLDER COMMAND…: runs Terraform in a folder, and shows what it says only when it fails.
quietly() {
    terraform -chdir="$1" "${@:2}" -no-color >"$1/log" 2>&1 || { cat "$1/log" >&2 && return 1; }
}
