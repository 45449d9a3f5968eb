# shellcheck shell=bash
# Lets Terraform evaluate infra/ offline, in a copy without AWS resources. Sourced after lib/infra/tools.sh and lib/lambda.sh.
# shellcheck disable=SC2154

# The values of each installation in one account. The second has its fleets in another region. The third is in the
# region of the first, with the longest prefix and every optional value.
common=(-var packages=packages -var alarm_email=you@example.org)
fleets=(
    -var 'warcraftlogs={lua_repository="https://example.org/databases.git"}'
    -var 'poe_stashes={client_id="shop",contact="you@example.org",bucket="pages"}'
)
first=(-var region=ap-northeast-1 "${fleets[@]}")
second=(
    -var region=ap-southeast-1 "${fleets[@]}"
    -var 'warcraftlogs={lua_repository="https://example.org/databases.git",budget_strategy="worst-case",secrets={"db-generator"=["LUA_OUT"]}}'
    -var 'poe_stashes={client_id="shop",contact="you@example.org",bucket="more-pages",secrets={"follower"=["POE_MAX_BODY"]}}'
)
third=(
    -var region=ap-northeast-1 -var prefix=twelvechars0
    -var reserve_concurrency=false -var secrets_key_arn=arn:aws:kms:ap-northeast-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab
    -var 'network={subnet_ids=["subnet-0a"],security_group_ids=["sg-0b"]}'
    -var 'warcraftlogs={lua_repository="https://example.org/databases.git",discovery_source="reports",settings={WCL_METRIC="dps"}}'
    -var 'poe_stashes={client_id="shop",contact="you@example.org",bucket="other-pages",settings={POE_REALM="sony",POE_LAG_ALARM_SECONDS="60"}}'
)

# evaluate TYPES WHEELS: applies the copy once per installation, compares their names, applies it without fleets, and
# gives each variable the values that it must refuse.
evaluate() {
    local copy
    copy=$(mktemp -d)
    PYTHONPATH="$2" python3 "$here/stand_in.py" "$1" infra "$copy"
    mkdir "$copy/packages"
    packages | while read -r fleet; do touch "$copy/packages/stint-$fleet-arm64.zip"; done
    quietly "$copy" init -input=false
    apply_copy "$copy" first "${first[@]}"
    apply_copy "$copy" second "${second[@]}"
    apply_copy "$copy" third "${third[@]}"
    apply_copy "$copy" empty -var region=eu-west-1 -var warcraftlogs=null
    python3 "$here/names_test.py"
    python3 "$here/names.py" ap-northeast-1="$copy/first.json" ap-southeast-1="$copy/second.json" \
        ap-northeast-1="$copy/third.json"
    evaluate_uncalled "$1" "$2"
    test_variables
    rm -rf "$copy"
}

# evaluate_uncalled TYPES WHEELS: applies alone the modules that no fleet calls yet.
evaluate_uncalled() {
    local fleet='name="sample",stem="stint-sample",log_retention_days=30'
    apply_module "$1" "$2" container -var name=ear -var image=stint:latest \
        -var repository_arn=arn:aws:ecr:eu-west-1:123456789012:repository/stint -var 'command=["up","sample"]' \
        -var cluster_arn=arn:aws:ecs:eu-west-1:123456789012:cluster/stint -var 'secrets=["TOKEN"]' \
        -var 'network={subnet_ids=["a"],security_group_ids=["b"]}' \
        -var "fleet={$fleet,secret_path=\"/stint/sample\",region=\"eu-west-1\",account=\"123456789012\",partition=\"aws\",environment={STINT_PROFILE=\"aws\"}}"
    local api=(
        -var "fleet={$fleet}"
        -var 'functions={api={function_name="api",function_arn="arn:aws:lambda:eu-west-1:123456789012:function:api"}}'
    )
    apply_module "$1" "$2" api "${api[@]}" -var 'routes=[{method="GET",path="/samples",worker="api"}]'
    apply_module "$1" "$2" api "${api[@]}" -var 'cors={origins=["*"]}' \
        -var 'routes=[{method="GET",path="/samples/{id}",worker="api",throttle={per_second=1,burst=2}},{method="PUT",path="/samples/{id}",worker="api"}]' \
        -var 'domain={name="api.example.org",certificate_arn="arn:aws:acm:eu-west-1:123456789012:certificate/1"}'
}

# apply_module TYPES WHEELS MODULE VARIABLES…
apply_module() {
    local copy
    copy=$(mktemp -d)
    PYTHONPATH="$2" python3 "$here/stand_in.py" "$1" "infra/modules/$3" "$copy"
    quietly "$copy" init -input=false
    quietly "$copy" apply -auto-approve -input=false "${@:4}"
    rm -rf "$copy"
}

# apply_copy FOLDER NAME VARIABLES…: writes what was created to NAME.json.
apply_copy() {
    local folder=$1 name=$2
    quietly "$folder" apply -auto-approve -input=false -state="$name.tfstate" "${common[@]}" "${@:3}"
    terraform -chdir="$folder" show -json "$name.tfstate" >"$folder/$name.json" 2>"$folder/log" ||
        { cat "$folder/log" >&2 && return 1; }
}

# A module's tests are about its variables, and run on these alone: without resources, no provider needs to be
# installed.
test_variables() {
    local tests module alone
    for tests in infra/tests infra/modules/*/tests; do
        module=$(dirname "$tests")
        alone=$(mktemp -d)
        cp -R "$module/variables.tf" "$tests" "$alone"
        quietly "$alone" test
        printf '%s: %s\n' "$module/variables.tf" "$(tail -n 1 "$alone/log")"
        rm -rf "$alone"
    done
}

# quietly FOLDER COMMAND…: runs Terraform in a folder, and shows its output only if it fails.
quietly() {
    terraform -chdir="$1" "${@:2}" -no-color >"$1/log" 2>&1 || { cat "$1/log" >&2 && return 1; }
}
