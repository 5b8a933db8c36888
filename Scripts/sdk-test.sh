#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# A generated client against a sample shop: registers an app, has it let in, lists, orders, renews and revokes.
set -euo pipefail
cd "$(dirname "$0")/.."
Scripts/sdks.sh
.build/venv-sdks/bin/pip install --quiet --disable-pip-version-check ./.build/sdks/python 'requests==2.32.5'

work=$(mktemp -d)
.build/release/vitrine demo --shoppers 0 --port 0 --data "$work/shop" >"$work/log" 2>&1 &
shop=$!
trap 'kill $shop 2>/dev/null || true; wait $shop 2>/dev/null || true; rm -rf "$work"' EXIT
until grep -q 'Ctrl-C stops' "$work/log"; do sleep 0.1; done
key=$(grep -o 'vk_[A-Za-z0-9_-]*' "$work/log" | head -1)
base=$(grep -o 'listens on http://[0-9.:]*' "$work/log" | cut -d' ' -f3)
password=$(grep -o 'with the password [A-Za-z0-9_-]*' "$work/log" | cut -d' ' -f4)
.build/venv-sdks/bin/python Tests/Peers/sdk.py "$base" "$key" owner@example.com "$password"
