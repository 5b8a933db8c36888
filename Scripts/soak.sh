#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The long forms: 10,000 orders through 100 kills and 2,000 buyers of ten units, on both engines;
# power lost at 400 moments; a million tokens issued and expired; 10,000 seeds of faults; shared limits for five minutes while processes die;
# five million series that nobody wanted; a million traces twice; 50,000 queries beside Prometheus; a collector away for ten minutes; ten million inputs for every decoder; 200 examples of every operation; then an hour of shoppers.
set -euo pipefail
directory=$(mktemp -d)
trap 'rm -rf "$directory"' EXIT
# In release mode, in which a million tokens take twenty minutes and not ninety; the first build takes a quarter of an hour.
swift build -c release --build-tests --build-path .build/soak -Xswiftc -enable-testing
VITRINE_SOAK=1 VITRINE_BINARY="$PWD/.build/release/vitrine" .build/soak/release/vitrinePackageTests.xctest \
    --testing-library swift-testing --no-parallel --filter 'WithstandTests|PowerLossTests|ExportTests|FleetTests|FleetLimitTests|ChaosTests|TokenPurgeTests|ObserveTests|KeptTracesTests|TailSamplerTests|PrometheusPeerTests'
Scripts/fuzz.sh
Scripts/contract.sh 200
.build/release/vitrine demo --port 0 --shoppers 32 --seconds "${SECONDS_LONG:-3600}" --data "$directory/shop" | tail -n 2
.build/release/vitrine check --data "$directory/shop"
