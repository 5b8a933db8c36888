# SPDX-License-Identifier: Apache-2.0
# make run    a sample shop with simulated shoppers on http://127.0.0.1:8080
# make test   the whole suite
# make bench  the shop beside its peers
# make bench-observatory  the observatory beside Prometheus and VictoriaMetrics, its spans and log records, and its pages
# make bench-oauth  what tokens cost
# make bench-telemetry  what telling everything costs the shop
# make bench-orders  orders on both engines, in turns with pgbench
# make bench-limits  what limits and guards cost, beside nginx and haproxy
# make bench-import a hundred thousand products
# make sdks   clients of the API in Python, TypeScript, Swift, Java and Go, in .build/sdks
# make lint   formatting and style
# make golden the OpenAPI document that the API is held to

.PHONY: run test bench bench-orders bench-observatory bench-telemetry bench-limits bench-oauth bench-import sdks lint golden setup soak

setup:
	@Scripts/setup.sh

run: setup
	@Scripts/build.sh
	@.build/release/vitrine demo $(ARGS)

test: setup
	@Scripts/setup.sh test
	@Scripts/test.sh

soak: setup
	@Scripts/build.sh
	@Scripts/soak.sh

sdks: setup
	@Scripts/build.sh
	@Scripts/sdks.sh $(LANGUAGES)

bench: setup
	@Scripts/setup.sh bench
	@Scripts/build.sh
	@python3 Benchmarks/bench.py $(ARGS)

bench-observatory: setup
	@Scripts/setup.sh bench
	@Scripts/build.sh
	@[ -x .build/venv-bench/bin/python ] || python3 -m venv .build/venv-bench
	@.build/venv-bench/bin/pip install --quiet --disable-pip-version-check 'cramjam==2.14.0'
	@.build/venv-bench/bin/python Benchmarks/observatory.py $(ARGS)
	@.build/venv-bench/bin/python Benchmarks/records.py
	@.build/venv-bench/bin/python Benchmarks/pages.py --output .build/pages.json
	@.build/venv-bench/bin/python Benchmarks/beside.py

bench-telemetry: setup
	@Scripts/setup.sh bench
	@Scripts/build.sh
	@swift build -c release --product TelemetryCosts
	@.build/release/TelemetryCosts
	@python3 Benchmarks/telemetry.py $(ARGS)

bench-orders: setup
	@Scripts/setup.sh bench
	@Scripts/build.sh
	@python3 Benchmarks/orders.py $(ARGS)

bench-limits: setup
	@Scripts/setup.sh bench
	@Scripts/build.sh
	@swift build -c release --product GuardCosts
	@.build/release/GuardCosts
	@python3 Benchmarks/limits.py $(ARGS)

bench-import: setup
	@Scripts/setup.sh bench
	@Scripts/build.sh
	@python3 Benchmarks/imports.py $(ARGS)

bench-oauth: setup
	@Scripts/setup.sh bench
	@Scripts/build.sh
	@python3 Benchmarks/oauth.py $(ARGS)

lint:
	@swift format lint --strict --recursive Sources Tests Benchmarks Package.swift

golden: setup
	@Scripts/build.sh
	@.build/release/vitrine openapi > Tests/WebTests/Golden/openapi.json
	@.build/release/vitrine signals > docs/TELEMETRY.md
