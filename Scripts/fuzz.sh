#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Scripts/fuzz.sh [INPUTS]: gives every decoder so many inputs (10,000,000) by libFuzzer, within 512 MiB of memory.
set -euo pipefail
cd "$(dirname "$0")/.."
inputs=${1:-10000000}
corpus=.build/fuzz-corpus

VITRINE_FUZZ_CORPUS="$PWD/$corpus" swift test --no-parallel --filter 'FuzzTests' > /dev/null
mkdir -p "$corpus"
VITRINE_FUZZ=1 swift build -c release --product DecoderFuzz --scratch-path .build/fuzz \
    -Xswiftc -sanitize=fuzzer -Xswiftc -parse-as-library -Xswiftc -DFUZZING 2>&1 | tail -2
.build/fuzz/release/DecoderFuzz "$corpus" -runs="$inputs" -max_len=4096 -rss_limit_mb=512 -timeout=10 \
    -print_final_stats=1 2>&1 | grep -vE '^#[0-9]+.(NEW|REDUCE)' | tail -25
