#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The long form of the demo test: an hour of shoppers, then the books are checked.
set -euo pipefail
directory=$(mktemp -d)
trap 'rm -rf "$directory"' EXIT
.build/release/vitrine demo --port 0 --shoppers 32 --seconds "${SECONDS_LONG:-3600}" --data "$directory/shop" | tail -n 2
.build/release/vitrine check --data "$directory/shop"
