# SPDX-License-Identifier: Apache-2.0
"""What telling everything costs the shop: without telemetry, kept beside the shop, and sent by OTLP, in turns. See Benchmarks/README.md."""
import argparse
import json
import os
import pathlib
import random
import re
import shutil
import statistics
import subprocess
import tempfile
import threading
import urllib.request

from servers import cpu, free_port, wait_for

root = pathlib.Path(__file__).resolve().parent.parent
options = argparse.ArgumentParser()
options.add_argument("--program", action="append", help="another build to take turns with, too")
options.add_argument("--turns", type=int, default=15)
options.add_argument("--seconds", type=int, default=2)
options.add_argument("--connections", type=int, default=64)
options.add_argument("--output", default=str(root / "Benchmarks/Results/telemetry.json"))
options = options.parse_args()
ORDER = """
wrk.method = "POST"
wrk.headers["Content-Type"] = "application/json"
wrk.body = '{"currency":"GBP","lines":[{"sku":"TOLD","quantity":1}],"payment":{"card":"sandbox_approve"}}'
"""
NOTHING = {"VITRINE_TELEMETRY": "off", "OTEL_TRACES_EXPORTER": "none"}


class Shop:
    """A sample shop in a process and a folder of its own, told by `mode` what to do with its telemetry."""

    def __init__(self, program, mode):
        self.folder = tempfile.mkdtemp()
        self.port, observatory = free_port(), free_port()
        environment = {name: value for name, value in os.environ.items() if not name.startswith("OTEL_")}
        environment["VITRINE_OBSERVATORY_PORT"] = str(observatory)
        if mode != "kept beside the shop":
            environment |= NOTHING
        if mode == "sent by OTLP":
            environment |= {"OTEL_TRACES_EXPORTER": "otlp", "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc",
                            "OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:4317"}
        self.process = subprocess.Popen(
            [program, "demo", "--shoppers", "0", "--port", str(self.port), "--data", self.folder + "/shop"],
            stdout=subprocess.PIPE, text=True, env=environment)
        self.key = next(m.group(1) for m in (
            re.search(r"shown only now: (vk_\S+)", line) for line in self.process.stdout) if m)
        # So that what it logs later fills no pipe.
        threading.Thread(target=lambda: all(True for _ in self.process.stdout), daemon=True).start()
        self.item = self.call("GET", "/v1/products?limit=1")["items"][0]["id"]
        place = self.call("GET", "/v1/inventory/locations")["items"][0]["id"]
        self.call("POST", "/v1/products", {"title": "Told", "variants": [
            {"sku": "TOLD", "prices": [{"amount": 1000, "currency": "GBP"}]}]})
        self.call("POST", "/v1/inventory/adjustments", {
            "location_id": place, "lines": [{"sku": "TOLD", "quantity": 10_000_000}]})

    def call(self, method, path, body=None):
        request = urllib.request.Request(
            "http://127.0.0.1:%d%s" % (self.port, path), json.dumps(body).encode() if body else None, method=method,
            headers={"Authorization": "Bearer " + self.key, "Content-Type": "application/json"})
        return json.load(urllib.request.urlopen(request))

    def measure(self, path, *more):
        command = ["wrk", "-t1", "-c%d" % options.connections, "-H", "Authorization: Bearer " + self.key, *more]
        subprocess.run(command + ["-d1s", "http://127.0.0.1:%d%s" % (self.port, path)], check=True, capture_output=True)
        before = cpu(self.process.pid)
        output = subprocess.run(command + ["-d%ds" % options.seconds, "http://127.0.0.1:%d%s" % (self.port, path)],
                                check=True, capture_output=True, text=True).stdout
        used = cpu(self.process.pid) - before
        if refused := re.search(r"Non-2xx.*", output):
            raise SystemExit(refused.group(0))
        requests, per_second = re.search(r"(\d+) requests in", output), re.search(r"Requests/sec: +([\d.]+)", output)
        return float(per_second.group(1)), used / int(requests.group(1)) * 1e6

    def close(self):
        self.process.terminate()
        self.process.wait(30)
        shutil.rmtree(self.folder, ignore_errors=True)


def median(runs, column):
    return statistics.median(run[column] for run in runs)


order = pathlib.Path(tempfile.mkdtemp()) / "order.lua"
order.write_text(ORDER)
# It takes and forgets, so that the shop is measured and not what another program does with it.
collector = subprocess.Popen([str(root / ".build/release/TelemetryCosts"), "receive"])
programs = [str(root / ".build/release/vitrine")] + (options.program or [])
modes = ["without", "kept beside the shop", "sent by OTLP"]
shops, results = [], {}
try:
    wait_for(4317)
    if collector.poll() is not None:
        raise SystemExit("another program listens on 4317")
    # All at once and in short turns, because the machine is not equally fast at all times; who is not asked does next to nothing.
    for program in programs:
        for mode in modes:
            shops.append((program, mode, Shop(program, mode)))
    for turn in range(options.turns):
        for what, path, more in [
                ("detail, ready", "", []), ("detail, general path", "", ["-H", "TE: trailers"]),
                ("order, durable, SQLite", "/v1/orders", ["-s", str(order)])]:
            for program, mode, shop in random.sample(shops, len(shops)):
                results.setdefault((program, what, mode), []).append(shop.measure(path or "/v1/products/" + shop.item, *more))
finally:
    for _, _, shop in shops:
        shop.close()
    collector.terminate()
    shutil.rmtree(order.parent)
rows = []
print("%-24s %-22s %9s %8s %9s %7s" % ("request", "telemetry", "per s", "cpu µs", "per s", "cpu"))
for (program, what, mode), runs in results.items():
    without = results[program, what, "without"]
    row = {"program": os.path.relpath(program, root), "request": what, "telemetry": mode, "per_second": round(median(runs, 0)),
           "cpu_us": round(median(runs, 1), 1),
           # Of each turn, so that what the machine did then is in both.
           "rate_of_without": round(statistics.median(a[0] / b[0] for a, b in zip(runs, without)), 3),
           "cpu_of_without": round(statistics.median(a[1] / b[1] for a, b in zip(runs, without)), 3),
           "runs": [[round(n, 1) for n in run] for run in runs]}
    rows.append(row)
for row in sorted(rows, key=lambda row: (row["request"], row["program"], modes.index(row["telemetry"]))):
    print("%(request)-24s %(telemetry)-22s %(per_second)9d %(cpu_us)8.1f %(rate_of_without)8.3fx %(cpu_of_without)6.3fx" % row
          + ("  " + row["program"] if len(programs) > 1 else ""))
pathlib.Path(options.output).write_text(json.dumps({"turns": options.turns, "seconds": options.seconds, "rows": rows}, indent=2) + "\n")
