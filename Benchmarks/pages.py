# SPDX-License-Identifier: Apache-2.0
"""The console over many spans: how soon each page's first byte comes, and the whole of it. See Benchmarks/README.md."""
import argparse
import gzip
import http.client
import json
import os
import pathlib
import random
import shutil
import statistics
import struct
import tempfile
import time

from corpus import SPANS_PER_TRACE, Observatory, root, traces
from servers import cpu, peak

options = argparse.ArgumentParser()
options.add_argument("--spans", type=int, default=1_000_000)
options.add_argument("--output", default=str(root / "Benchmarks/Results/pages.json"))
options = options.parse_args()
TEMPLATE = 64_000
PAGES = ["overview", "services", "services/shop", "traces", "traces?errors=1&range=1h", "traces?by=http.route&range=1h",
         "logs?range=1h", "metrics", "metrics?query=sum+by+(service)+(rate(traces_spanmetrics_calls_total[60s]))", "journeys",
         "storage"]


def places(body, ids):
    """Where in a body the lower halves of trace ids stand."""
    found, at = [], 0
    for trace in ids:
        raw = bytes.fromhex(trace)
        while (at := body.find(raw, at)) >= 0:
            found.append(at + 8)
            at += 16
        at = 0
    return found


def rounds(requests, ids, count):
    """The same traces again and again, each time others by their ids."""
    per_request = len(ids) // len(requests)
    marks = [places(body, ids[n * per_request:(n + 1) * per_request]) for n, body in enumerate(requests)]
    for number in range(count):
        for body, found in zip(requests, marks):
            changed = bytearray(body)
            for at in found:
                low, = struct.unpack_from("<Q", changed, at)
                struct.pack_into("<Q", changed, at, low ^ (number * 0x9E3779B97F4A7C15 & (1 << 64) - 1))
            yield bytes(changed)


def look(port, page):
    connection = http.client.HTTPConnection("127.0.0.1", port)
    began = time.monotonic()
    connection.request("GET", "/console/" + page, headers={"Accept-Encoding": "gzip"})
    answer = connection.getresponse()
    first = answer.read(1)
    soon = time.monotonic() - began
    rest = answer.read()
    took, size = (time.monotonic() - began) * 1e3, len(first + rest)
    whole = gzip.decompress(first + rest)
    if answer.status != 200 or b"cannot be shown" in whole or b"No trace fits" in whole:
        raise SystemExit("%s: %d" % (page, answer.status))
    return soon * 1e3, took, size


def main():
    requests, ids, _ = traces(random.Random(7), TEMPLATE // SPANS_PER_TRACE)
    folder = tempfile.mkdtemp()
    server = Observatory(folder)
    server.start()
    try:
        began = time.monotonic()
        count = max(1, options.spans // TEMPLATE)
        batch = []
        for body in rounds(requests, ids, count):
            batch.append(body)
            if len(batch) == 400:
                server.send("/v1/traces", batch)
                batch = []
        server.send("/v1/traces", batch)
        print("%d spans sent in %.0f s, %.0f CPU s" % (count * TEMPLATE, time.monotonic() - began, cpu(server.process.pid)))
        time.sleep(25)
        found = {"spans": count * TEMPLATE, "load_average": os.getloadavg()[0], "pages": {}}
        for page in PAGES:
            looks = [look(server.port, page) for _ in range(7)]
            first, whole = statistics.median(x[0] for x in looks), statistics.median(x[1] for x in looks)
            found["pages"][page] = {"first_byte_ms": round(first, 1), "slowest_first_byte_ms": round(max(x[0] for x in looks), 1),
                                    "whole_ms": round(whole, 1), "bytes": looks[0][2]}
            print("%-90s first byte %7.1f ms (slowest %7.1f), %d bytes" % (page, first, max(x[0] for x in looks), looks[0][2]), flush=True)
        found["peak_mib"] = round(peak(server.process.pid), 1)
        print("peak memory %.0f MiB" % found["peak_mib"])
        pathlib.Path(options.output).write_text(json.dumps(found, indent=1) + "\n")
    finally:
        server.stop()
        shutil.rmtree(folder)


main()
