# SPDX-License-Identifier: Apache-2.0
"""Orders of the shop on SQLite and on Postgres, and pgbench on the same disk, in turns. See Benchmarks/README.md."""
import argparse
import json
import pathlib
import random
import re
import statistics
import subprocess
import tempfile
import threading

from servers import cpu, fill_pgbench, free_port, pgbench, prepare_orders, start_postgres

root = pathlib.Path(__file__).resolve().parent.parent
options = argparse.ArgumentParser()
options.add_argument("--program", action="append", help="another build to take turns with, too")
options.add_argument("--turns", type=int, default=8)
options.add_argument("--seconds", type=int, default=5)
options.add_argument("--connections", type=int, default=64)
options.add_argument("--output", default=str(root / "Benchmarks/Results/orders.json"))
options = options.parse_args()


class Shop:
    def __init__(self, program, arguments):
        self.port = free_port()
        self.process = subprocess.Popen(
            [program, "serve", "--port", str(self.port), *arguments], stdout=subprocess.PIPE, text=True, cwd=folder)
        self.key = next(m.group(1) for m in (re.search(r"shown only now: (vk_\S+)", line) for line in self.process.stdout) if m)
        next(line for line in self.process.stdout if "listens" in line)
        threading.Thread(target=lambda: all(True for _ in self.process.stdout), daemon=True).start()
        self.script = prepare_orders("http://127.0.0.1:%d" % self.port, self.key, folder)

    def order(self, seconds):
        """Orders a second, and microseconds of the shop's processor for each."""
        before = cpu(self.process.pid)
        output = subprocess.run(
            ["wrk", "-t1", "-c%d" % options.connections, "-d%ds" % seconds, "-s", self.script, "-H", "Authorization: Bearer " + self.key,
             "http://127.0.0.1:%d/v1/orders" % self.port], check=True, capture_output=True, text=True).stdout
        used = cpu(self.process.pid) - before
        if refused := re.search(r"Non-2xx.*", output):
            raise SystemExit(refused.group(0))
        return float(re.search(r"Requests/sec: +([\d.]+)", output).group(1)), used / int(re.search(r"(\d+) requests in", output).group(1)) * 1e6


def transact(seconds):
    output = pgbench(server, "-c", str(options.connections), "-j", "1", "-T", str(seconds))
    return float(re.search(r"tps = ([\d.]+)", output).group(1)), 0


folder = pathlib.Path(tempfile.mkdtemp())
programs = [str(root / ".build/release/vitrine")] + (options.program or [])
shops, postgres = {}, None
try:
    postgres, server = start_postgres(folder, ["tpcb"] + ["shop%d" % number for number in range(len(programs))])
    fill_pgbench(server)
    for number, program in enumerate(programs):
        name = "vitrine" if number == 0 else pathlib.Path(program).name
        data = str(folder / ("shop%d" % number))
        shops[name + ", SQLite"] = Shop(program, ["--data", data])
        database = server["url"].replace("/tpcb", "/shop%d" % number)
        shops[name + ", Postgres"] = Shop(program, ["--data", data + "p", "--database", database])
    askers = {name: shop.order for name, shop in shops.items()} | {"pgbench TPC-B": transact}
    turns = {name: [] for name in askers}
    for ask in askers.values():
        ask(2)
    for _ in range(options.turns):
        for name in random.sample(list(askers), len(askers)):
            turns[name].append(askers[name](options.seconds))
finally:
    for process in [shop.process for shop in shops.values()] + [postgres]:
        if process:
            process.terminate()
            process.wait(30)
    subprocess.run(["rm", "-rf", str(folder)])

rows = []
print("%-40s %12s %10s %14s   quartiles" % ("orders, 64 clients", "a second", "CPU us", "of pgbench"))
for name, measured in turns.items():
    shares = [mine[0] / its[0] for mine, its in zip(measured, turns["pgbench TPC-B"])]
    low, _, high = statistics.quantiles(shares, n=4)
    rows.append({
        "server": name, "per_second": round(statistics.median(one[0] for one in measured)),
        "cpu_us": round(statistics.median(one[1] for one in measured), 1),
        "of_pgbench": round(statistics.median(shares), 3), "quartiles": [round(low, 3), round(high, 3)]})
    print("%-40s %12d %10.1f %14.2f   %.2f to %.2f" % (name, rows[-1]["per_second"], rows[-1]["cpu_us"], rows[-1]["of_pgbench"], low, high))
pathlib.Path(options.output).write_text(json.dumps(rows, indent=1) + "\n")
