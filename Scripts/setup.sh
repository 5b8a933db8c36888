#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Installs the system libraries that are missing on Debian or Ubuntu, after naming them. Needs no root when none is.
# With "test" or "bench", also what only those need.
set -euo pipefail

packages=(libhiredis-dev libjemalloc-dev libpq-dev libsqlite3-dev zlib1g-dev libzstd-dev libpcre2-dev libsnappy-dev
    pkg-config curl)
case "${1:-}" in
    test)
        packages+=(python3-venv postgresql redis-server prometheus gcc openssl chromium chromium-driver)
        command -v java >/dev/null || packages+=(default-jre-headless)
        ;;
    bench) packages+=(wrk nginx-light haproxy postgresql python3-venv prometheus victoria-metrics) ;;
esac

if ! command -v swift >/dev/null; then
    echo "Swift is missing. Install the toolchain, 6.2 or newer, from https://www.swift.org/install/linux/ and try again." >&2
    exit 1
fi

missing=()
for package in "${packages[@]}"; do
    status=$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null || true)
    [ "$status" = installed ] || missing+=("$package")
done
[ "${#missing[@]}" -eq 0 ] && exit 0

echo "Missing system packages: ${missing[*]}"
if ! command -v apt-get >/dev/null; then
    echo "This is no Debian or Ubuntu: install them with your own package manager, and try again." >&2
    exit 1
fi
if [ "$(id -u)" -eq 0 ]; then sudo=""; elif command -v sudo >/dev/null; then sudo=sudo; else
    echo "Run as root: apt-get install ${missing[*]}" >&2
    exit 1
fi
$sudo apt-get update -qq
DEBIAN_FRONTEND=noninteractive $sudo apt-get install -y -qq "${missing[@]}"
