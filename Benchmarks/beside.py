# SPDX-License-Identifier: Apache-2.0
"""What heavy queries of the telemetry cost the shop in the same process: its percentiles without and with them, in turns.

20,000 series in the shop's own observatory; 16 customers who look, search and order with pauses; 20 callers who ask for the
rate of all series over the whole time, again and again. See Benchmarks/README.md.
"""
import argparse
import http.client
import itertools
import json
import os
import pathlib
import re
import shutil
import statistics
import struct
import subprocess
import tempfile
import threading
import time
import urllib.parse
import urllib.request

import cramjam

from servers import field, free_port, in_parallel, varint

root = pathlib.Path(__file__).resolve().parent.parent
options = argparse.ArgumentParser()
options.add_argument("--program", action="append", help="another build to take turns with, too")
options.add_argument("--turns", type=int, default=5)
options.add_argument("--seconds", type=int, default=8)
options.add_argument("--callers", type=int, default=20)
options.add_argument("--output", default=str(root / "Benchmarks/Results/beside.json"))
options.add_argument("--same", action="store_true", help="all ask the same, which is remembered")
options = options.parse_args()
SERIES, STEPS = 20_000, 120
START = (int(time.time()) - STEPS * 15 - 60) // 15 * 15
CUSTOMERS = """
local key, items = "%s", %s
local turn = 0
function delay() return math.random(0, 20) end
function request()
  turn = turn + 1
  local headers = { ["Authorization"] = "Bearer " .. key, ["TE"] = "trailers", ["Content-Type"] = "application/json" }
  if turn %% 5 == 0 then
    return wrk.format("POST", "/v1/orders", headers, '{"currency":"GBP","lines":[{"sku":"BESIDE","quantity":1}],"payment":{"card":"sandbox_approve"}}')
  elseif turn %% 5 == 1 then
    return wrk.format("GET", "/v1/products?q=tea&limit=20", headers)
  end
  return wrk.format("GET", "/v1/products/" .. items[math.random(#items)], headers)
end
"""


class Shop:
    def __init__(self, program, folder):
        self.port, self.telemetry, self.token = free_port(), free_port(), "operators-of-the-benchmark"
        self.process = subprocess.Popen(
            [program, "demo", "--shoppers", "0", "--port", str(self.port), "--data", folder + "/shop"],
            stdout=subprocess.PIPE, text=True, env=os.environ | {
                "VITRINE_OBSERVATORY_PORT": str(self.telemetry), "VITRINE_OBSERVATORY_TOKEN": self.token})
        self.key = next(m.group(1) for m in (
            re.search(r"shown only now: (vk_\S+)", line) for line in self.process.stdout) if m)
        # So that what it logs later fills no pipe.
        threading.Thread(target=self.process.stdout.read, daemon=True).start()
        items = [item["id"] for item in self.call("GET", "/v1/products?limit=20")["items"]]
        place = self.call("GET", "/v1/inventory/locations")["items"][0]["id"]
        self.call("POST", "/v1/products", {"title": "Beside", "variants": [
            {"sku": "BESIDE", "prices": [{"amount": 1000, "currency": "GBP"}]}]})
        self.call("POST", "/v1/inventory/adjustments", {
            "location_id": place, "lines": [{"sku": "BESIDE", "quantity": 10_000_000}]})
        self.script = pathlib.Path(folder) / "customers.lua"
        self.script.write_text(CUSTOMERS % (self.key, "{%s}" % ",".join('"%s"' % item for item in items)))

    def call(self, method, path, body=None):
        request = urllib.request.Request(
            "http://127.0.0.1:%d%s" % (self.port, path), json.dumps(body).encode() if body else None, method=method,
            headers={"Authorization": "Bearer " + self.key, "Content-Type": "application/json"})
        return json.load(urllib.request.urlopen(request))

    def fill(self):
        """A half hour of counters, by remote write."""
        connection = http.client.HTTPConnection("127.0.0.1", self.telemetry)
        heads = [b"".join(field(1, field(1, name) + field(2, value)) for name, value in [
            (b"__name__", b"beside_total"), (b"id", b"%d" % place), (b"route", b"r%d" % (place % 40))])
            for place in range(SERIES)]
        for step in range(STEPS):
            stamp, parts = varint((START + step * 15) * 1000), []
            for place, head in enumerate(heads):
                sample = b"\x09" + struct.pack("<d", step * (place % 17)) + b"\x10" + stamp
                body = head + b"\x12" + bytes([len(sample)]) + sample
                parts.append(b"\x0a" + varint(len(body)) + body)
            connection.request("POST", "/api/v1/write", bytes(cramjam.snappy.compress_raw(b"".join(parts))), {
                "Authorization": "Bearer " + self.token, "Content-Encoding": "snappy",
                "Content-Type": "application/x-protobuf"})
            answer = connection.getresponse()
            if said := answer.read():
                raise SystemExit("refused: %r" % said)

    def customers(self):
        output = subprocess.run(
            ["wrk", "-t1", "-c16", "-d%ds" % options.seconds, "--latency", "-s", str(self.script),
             "http://127.0.0.1:%d" % self.port], capture_output=True, text=True, check=True).stdout
        if "Non-2xx" in output:
            raise SystemExit(output)
        found = {}
        for percent, number, unit in re.findall(r"^ +(\d+)% +([\d.]+)(us|ms|s)", output, re.M):
            found["p" + percent] = float(number) * {"us": 0.001, "ms": 1, "s": 1000}[unit]
        return found | {"per_second": float(re.search(r"Requests/sec: +([\d.]+)", output).group(1))}

    def asked(self, work):
        """Does `work` while everybody asks; how many answers came meanwhile."""
        ends, answers = threading.Event(), []
        asked = itertools.count()

        def ask(number):
            connection = http.client.HTTPConnection("127.0.0.1", self.telemetry)
            while not ends.is_set():
                # Each is another question, because an answer that is remembered is none that is heavy.
                more = "" if options.same else " + %d" % next(asked)
                connection.request("GET", "/api/v1/query_range?" + urllib.parse.urlencode({
                    "query": "sum by (route) (rate(beside_total[5m]))" + more, "start": START, "end": START + STEPS * 15,
                    "step": 15}), headers={"Authorization": "Bearer " + self.token})
                answer = connection.getresponse()
                answer.read()
                answers.append(answer.status)

        callers = threading.Thread(target=in_parallel, args=[options.callers, ask])
        callers.start()
        time.sleep(1)
        found = work()
        ends.set()
        callers.join()
        return found | {"queries": answers.count(200), "turned_away": len(answers) - answers.count(200)}


def main():
    programs = options.program or [str(root / ".build/release/vitrine")]
    folders = [tempfile.mkdtemp() for _ in programs]
    shops = [Shop(program, folder) for program, folder in zip(programs, folders)]
    rows = {program: {"without": [], "with": []} for program in programs}
    try:
        for shop in shops:
            shop.fill()
            shop.customers()
        for _ in range(options.turns):
            for program, shop in zip(programs, shops):
                rows[program]["without"].append(shop.customers())
                rows[program]["with"].append(shop.asked(shop.customers))
    finally:
        for shop, folder in zip(shops, folders):
            shop.process.terminate()
            shop.process.wait()
            shutil.rmtree(folder)
    for program, row in rows.items():
        print(program)
        for name in ["per_second", "p50", "p90", "p99"]:
            without, beside = [statistics.median(turn[name] for turn in row[kind]) for kind in ["without", "with"]]
            print("  %-10s %8.2f without, %8.2f with: %+.1f %%    single turns %s | %s" % (
                name, without, beside, (beside / without - 1) * 100, " ".join("%.2f" % turn[name] for turn in row["without"]),
                " ".join("%.2f" % turn[name] for turn in row["with"])))
        print("  queries answered meanwhile:", [turn["queries"] for turn in row["with"]],
              "turned away:", [turn["turned_away"] for turn in row["with"]])
    # In the order in which they were named, because where they lie says nothing to others.
    pathlib.Path(options.output).write_text(json.dumps(
        {"cores": os.cpu_count(), "callers": options.callers, "programs": list(rows.values())}, indent=1) + "\n")


main()
