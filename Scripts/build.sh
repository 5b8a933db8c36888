#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Builds the program in release mode. The first time takes some minutes; what it does is shown.
set -euo pipefail
[ -x .build/release/vitrine ] || echo "Building Vitrine for the first time; that takes ten minutes or so on two cores."
swift build -c release --product vitrine
