# SPDX-License-Identifier: Apache-2.0
"""Spans and log records through the observatory: what they cost to take in, what they take on the disk, and how soon they are found.

Spans: traces of eight over four services, nine attributes each, about 358 bytes of OTLP a span. Log records: what a shop says,
some with a trace. The peer of the log records is `zstd -3` over the same rows as lines of JSON. See Benchmarks/README.md.
"""
import argparse
import json
import os
import pathlib
import random
import shutil
import signal
import statistics
import tempfile
import threading
import time

import cramjam

from corpus import SPANS_PER_TRACE, START, Observatory, lines, traces
from servers import cpu, peak

root = pathlib.Path(__file__).resolve().parent.parent
options = argparse.ArgumentParser()
options.add_argument("--spans", type=int, default=400_000)
options.add_argument("--lines", type=int, default=1_000_000)
options.add_argument("--output", default=str(root / "Benchmarks/Results/records.json"))
options = options.parse_args()


def bytes_of(folder, signal):
    return sum(f.stat().st_size for f in pathlib.Path(folder).glob(signal + "-*.part"))


def main():
    rng = random.Random(7)
    print("making %d spans and %d lines ..." % (options.spans, options.lines), flush=True)
    requests, ids, size = traces(rng, options.spans // SPANS_PER_TRACE)
    records, rows = lines(rng, options.lines, ids)
    found = {"spans": options.spans, "lines": options.lines, "otlp_bytes_per_span": size / options.spans}
    found["row_bytes_per_line"] = len(rows) / options.lines
    found["zstd_bytes_per_line"] = len(cramjam.zstd.compress(rows, 3)) / options.lines
    del rows
    folder = tempfile.mkdtemp()
    server = Observatory(folder)
    server.start()
    for name, path, bodies, count in (("spans", "/v1/traces", requests, options.spans),
                                      ("lines", "/v1/logs", records, options.lines)):
        before = cpu(server.process.pid)
        server.send(path, bodies)
        # What is left to be tidied up belongs to it.
        time.sleep(6)
        found[name + "_per_cpu_second"] = count / (cpu(server.process.pid) - before)
        found["peak_mib_after_" + name] = peak(server.process.pid)
    sample = random.Random(1).sample(ids, 40)
    if len(server.ask("/api/traces/" + sample[0])[1]["data"][0]["spans"]) != SPANS_PER_TRACE:
        raise SystemExit("a trace is not whole")
    window = {"start": START, "end": START + 1_100 * 10**9, "limit": 10}

    def look():
        words = [server.ask("/loki/api/v1/query_range", query='{service_name="shop"} |= " xylophonist"', **window)
                 for _ in range(7)]
        if not words[0][1]["data"]["result"]:
            raise SystemExit("the rare word is not found")
        errors = [server.ask("/api/traces", tags='{"error":"true"}', limit=20, start=START // 1000,
                             end=(START + 10**13) // 1000) for _ in range(7)]
        return {"trace_by_id_ms": statistics.median(server.ask("/api/traces/" + trace)[0] for trace in sample),
                "rare_word_ms": statistics.median(ms for ms, _ in words),
                "latest_20_errors_ms": statistics.median(ms for ms, _ in errors)}

    found["alone"] = look()
    busy = threading.Thread(target=server.send, args=["/v1/logs", records[:len(records) // 2]])
    busy.start()
    found["while_lines_come"] = look()
    busy.join()
    server.stop(signal.SIGKILL)
    found["restart_seconds"] = server.start()
    found["peak_mib"] = peak(server.process.pid)
    server.stop()
    found["bytes_per_span"] = bytes_of(folder, "traces") / options.spans
    found["bytes_per_line"] = bytes_of(folder, "logs") / (options.lines * 3 / 2)
    shutil.rmtree(folder)
    for name, value in found.items():
        print("%-28s %s" % (name, value if isinstance(value, dict) else "%12.2f" % value))
    pathlib.Path(options.output).write_text(json.dumps(found | {"cores": os.cpu_count()}, indent=1) + "\n")


main()
