#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Attacks a sample shop through its own OpenAPI document (Schemathesis: every check, every phase, stateful), and lints the
# answers of every operation (httplint). The first argument is the number of examples for each operation.
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
    PYTHONDONTWRITEBYTECODE=1 "$venv/bin/schemathesis" --config-file schemathesis.toml run "$base/v1/openapi.json" \
        --header "Authorization: Bearer $1" --checks all --max-examples "$2" --request-timeout 30 \
        --continue-on-failure --no-color --suppress-health-check all --generation-database none
}
attack "$key" "${1:-15}"
customer=$("$venv/bin/python" customer.py "$base" "$key")
attack "$customer" "$(((${1:-15} + 3) / 4))"
