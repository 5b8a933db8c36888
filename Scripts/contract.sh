#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Attacks a sample shop through its own OpenAPI document (Schemathesis: every check, every phase, stateful), and lints the
# answers of every operation (httplint). The first argument is the number of examples for each operation, the second the seed
# that they are drawn by; without one they differ each time.
set -euo pipefail
cd "$(dirname "$0")/.."
contract=$PWD/Tests/Peers/contract
venv=$PWD/.build/venv-contract
[ -x "$venv/bin/python" ] || python3 -m venv "$venv"
"$venv/bin/pip" install --quiet --disable-pip-version-check 'schemathesis==4.32.5' 'httplint==2026.10.4'

work=$(mktemp -d)
# The customer's token is to outlive the longest attack.
export VITRINE_ACCESS_TOKEN_LIFETIME=86400
VITRINE_SANDBOX_URL=http://127.0.0.1:1 VITRINE_LIMITS="sign-in=1000000, anonymous=1000000" .build/release/vitrine demo --shoppers 0 --port 0 --data "$work/shop" >"$work/log" 2>&1 &
shop=$!
trap 'kill $shop 2>/dev/null || true; wait $shop 2>/dev/null || true; rm -rf "$work"' EXIT
until grep -q 'vk_' "$work/log" && grep -q 'http://127' "$work/log"; do sleep 0.1; done
key=$(grep -o 'vk_[A-Za-z0-9_-]*' "$work/log" | head -1)
base=$(grep -o 'http://127[0-9.:]*' "$work/log" | head -1)

"$venv/bin/python" "$contract/lint.py" "$base" "$key"

# The key that the attack lives on is not to be revoked by it.
VITRINE_OWN_KEY_ID=$(curl -sf -H "Authorization: Bearer $key" "$base/v1/me" | grep -o 'key_[a-z0-9]*' | head -1)
export VITRINE_OWN_KEY_ID
cd "$contract"
# With a key that may do everything, and again in the name of a customer, who reaches what is theirs.
attack() {
    PYTHONDONTWRITEBYTECODE=1 "$venv/bin/schemathesis" --config-file "$1" run "$base/v1/openapi.json" \
        "${@:3}" --max-examples "$2" --seed "$seed" --request-timeout 30 \
        --continue-on-failure --no-color --suppress-health-check all --generation-database none
}
seed=${2:-$RANDOM$RANDOM}
customer() { "$venv/bin/python" customer.py "$base" "$key"; }
few=$(((${1:-15} + 3) / 4))
attack schemathesis.toml "${1:-15}" --header "Authorization: Bearer $key" --checks all
ann=$(customer)
attack schemathesis.toml "$few" --header "Authorization: Bearer $ann" --checks all

# And as two customers, of whom neither may read what is the other's. The check says so where it cannot run.
cat >"$work/users.json" <<JSON
{"auth": [
  {"name": "ann", "fixedHeaders": [{"name": "Authorization", "value": "Bearer $ann"}]},
  {"name": "bea", "fixedHeaders": [{"name": "Authorization", "value": "Bearer $(customer)"}]}
]}
JSON
{ cat schemathesis.toml; printf '\n[auth.wfc]\npath = "%s"\npeers = ["ann", "bea"]\n' "$work/users.json"; } >"$work/peers.toml"
attack "$work/peers.toml" "$few" --checks not_a_server_error,object_level_authorization | tee "$work/peers.log"
! grep -q 'will not run' "$work/peers.log"
