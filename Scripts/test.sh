#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Runs the whole suite, against the release build where a test starts the program itself, and sums up.
set -uo pipefail
cd "$(dirname "$0")/.."

# With the seconds since the beginning, so that it is seen where they go.
section() { echo "== $1 ($SECONDS s)"; }

# A folder of its own for what tests leave, however they end: a browser's profiles, databases, a killed program's data. Others may
# enter it, because Postgres refuses to be root.
TMPDIR=$(mktemp -d)
export TMPDIR
chmod 755 "$TMPDIR"
beside=
trap '[ -z "$beside" ] || { kill -- -"$beside"; wait "$beside"; } 2>/dev/null; rm -rf "$TMPDIR"' EXIT
log=$(mktemp)
failed=0

section "Style"
swift format lint --strict --recursive Sources Tests Benchmarks Package.swift || failed=$((failed + 1))

section "Release build"
Scripts/build.sh || exit 1

section "OpenAPI document"
# A reader of other people's making, in a virtual environment of its own.
venv=.build/venv
[ -x "$venv/bin/python" ] || python3 -m venv "$venv"
"$venv/bin/pip" install --quiet --disable-pip-version-check \
    'openapi-spec-validator==0.9.0' 'localstripe==1.15.10' 'prometheus-client==0.23.1' 'grpcio==1.85.3' \
    'opentelemetry-proto==1.45.2' 'opentelemetry-sdk==1.45.2' 'opentelemetry-exporter-otlp-proto-http==1.45.2' \
    'opentelemetry-exporter-otlp-proto-grpc==1.45.2' 'http-sf==1.5.0' 'playwright==1.65.2' 'selenium==4.51.0' 'Authlib==1.9.10' 'requests-oauthlib==2.0.0' 'joserfc==1.8.0' 'qrcode==8.2' 'websockets==17.4' || exit 1
if "$venv/bin/python" -c '
import json, subprocess
from openapi_spec_validator import validate
validate(json.loads(subprocess.check_output([".build/release/vitrine", "openapi"])))
'; then echo "valid OpenAPI 3.1"; else failed=$((failed + 1)); fi

section "Build of the suite"
rm -f .build/debug/vitrinePackageTests.xctest
swift build --build-tests >"$log" 2>&1 || { grep -E 'error:|warning:' "$log"; tail -20 "$log"; exit 1; }
export VITRINE_BINARY="$PWD/.build/release/vitrine"

# What starts the program itself mostly waits for it; so it runs beside the rest, one lane for each core. The bundle is called
# directly, because `swift test` would wait for the other lane. It exits with 0 where nothing failed. Colours would hide what
# is counted below.
suite() { NO_COLOR=1 .build/debug/vitrinePackageTests.xctest --testing-library swift-testing --no-parallel "$@"; }

program() {
    local status=0
    section "The program"
    suite --filter '^VitrineTests\.' || { echo "FAILED: the program"; status=1; }
    section "Attack through the OpenAPI document"
    # By one seed, so that what fails here fails again; `make soak` draws others.
    Scripts/contract.sh 10 20261128 || { echo "FAILED: the attack"; status=1; }
    section "A generated client"
    Scripts/sdk-test.sh || { echo "FAILED: the generated client"; status=1; }
    section "Commands of the documents"
    python3 Scripts/documents.py || { echo "FAILED: the documents"; status=1; }
    return $status
}

# The slices run twice: the second time with every shop on a real Postgres that they start themselves.
slices='^(Catalog|Customers|Identity|Inventory|Jobs|Ordering|Payments|Web)Tests\.'

lane=$(mktemp)
# A group of its own, so that all of it is ended where this is.
set -m
program >"$lane" 2>&1 &
beside=$!
set +m
section "Suite"
suite --skip '^VitrineTests\.' 2>&1 | tee "$log"
status=${PIPESTATUS[0]}
section "Slices on Postgres"
VITRINE_TEST_ENGINE=postgres suite --filter "$slices" 2>&1 | tee -a "$log"
[ "${PIPESTATUS[0]}" -eq 0 ] || status=1
wait "$beside" || status=1
beside=
cat "$lane"
cat "$lane" >>"$log"

# Swift Testing marks each test: passed, failed, skipped with its reason. Lines of arguments and suites do not count.
passed=$(grep -cE '^. Test ".*" (with [0-9]+ test cases )?passed after' "$log")
broken=$(grep -cE '^. Test ".*" (with [0-9]+ test cases )?failed after' "$log")
skipped=$(grep -cE '^. Test ".*" skipped' "$log")
[ "$skipped" -eq 0 ] || { echo "== Skipped"; grep -E '^. Test ".*" skipped' "$log"; }
# Last, because what keeps only the end of a log should keep this.
if [ "$status" -ne 0 ]; then
    echo "== Failed"
    grep -E '^. Test .* (recorded an issue|failed after)|^BAD|^FAILED|Fatal error' "$log" | cut -c1-600 | tail -60
fi
[ "$status" -eq 0 ] || [ "$broken" -gt 0 ] || broken=1
broken=$((broken + failed))
echo "$passed passed, $broken failed, $skipped skipped"
[ "$broken" -eq 0 ]
