#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Generates clients of the API into .build/sdks, one folder for each language: those that are named, or all.
set -euo pipefail
cd "$(dirname "$0")/.."
command -v java >/dev/null || { echo "The generator runs on Java 11 or newer: install default-jre-headless." >&2; exit 1; }

venv=.build/venv-sdks
[ -x "$venv/bin/python" ] || python3 -m venv "$venv"
"$venv/bin/pip" install --quiet --disable-pip-version-check 'openapi-generator-cli==7.26.0'

mkdir -p .build/sdks
.build/release/vitrine openapi | python3 Scripts/sdk_document.py >.build/sdks/openapi.json
[ "$#" -gt 0 ] || set -- python typescript swift java go
for language in "$@"; do
    folder=.build/sdks/$language
    case "$language" in
        python) options=(-g python --additional-properties=packageName=vitrine_client) ;;
        typescript) options=(-g typescript-fetch --additional-properties=npmName=vitrine-client) ;;
        swift) options=(-g swift6 --additional-properties=projectName=VitrineClient) ;;
        java) options=(-g java --additional-properties=artifactId=vitrine-client,groupId=shop.vitrine) ;;
        go) options=(-g go --additional-properties=packageName=vitrine) ;;
        *) echo "There is python, typescript, swift, java and go, and no $language." >&2; exit 1 ;;
    esac
    rm -rf "$folder"
    "$venv/bin/openapi-generator-cli" generate -i .build/sdks/openapi.json -o "$folder" "${options[@]}" >"$folder.log" 2>&1 \
        || { tail -20 "$folder.log"; exit 1; }
    echo "$language: $folder"
done
