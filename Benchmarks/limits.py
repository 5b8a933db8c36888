# SPDX-License-Identifier: Apache-2.0
"""What limits add to a ready answer, beside nginx's limit_req and haproxy's stick tables, and what the question whether it has
changed adds, in turns. See Benchmarks/README.md."""
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
import time
import urllib.request

from servers import free_port, start_haproxy, start_nginx, wait_for

root = pathlib.Path(__file__).resolve().parent.parent
options = argparse.ArgumentParser()
options.add_argument("--program", action="append", help="another build to take turns with, too")
options.add_argument("--turns", type=int, default=20)
options.add_argument("--pairs", type=int, default=4, help="of each server in a turn")
options.add_argument("--seconds", type=int, default=1)
options.add_argument("--output", default=str(root / "Benchmarks/Results/limits.json"))
options = options.parse_args()


def cpu(pid):
    """Seconds, to the nanosecond; of the process and its children."""
    pids = [pid] + [int(one) for one in pathlib.Path("/proc/%d/task/%d/children" % (pid, pid)).read_text().split()]
    # The clock of another process, as clock_getcpuclockid(3) makes its number.
    return sum(time.clock_gettime_ns((~one << 3) | 2) for one in pids) / 1e9


def answer(method, url, key, body=None):
    request = urllib.request.Request(
        url, json.dumps(body).encode() if body else None, method=method,
        headers={"Authorization": "Bearer " + key, "Content-Type": "application/json"})
    return urllib.request.urlopen(request)


def ask(*request):
    return answer(*request).read()


def measure(pid, url, key, tag=None):
    command = ["wrk", "-t1", "-c64", "-H", "Authorization: Bearer " + key, url]
    if tag:
        command += ["-H", "If-None-Match: " + tag]
    before = cpu(pid)
    output = subprocess.run(command + ["-d%ds" % options.seconds], check=True, capture_output=True, text=True).stdout
    used = cpu(pid) - before
    if refused := re.search(r"Non-2xx.*", output):
        raise SystemExit(refused.group(0))
    return used / int(re.search(r"(\d+) requests in", output).group(1)) * 1e6


folder = pathlib.Path(tempfile.mkdtemp())
folder.chmod(0o755)
processes, pairs, runs = [], {}, {}
try:
    for number, program in enumerate([str(root / ".build/release/vitrine")] + (options.program or [])):
        port = free_port()
        shop = subprocess.Popen(
            [program, "demo", "--shoppers", "0", "--port", str(port), "--data", str(folder / str(number))],
            stdout=subprocess.PIPE, text=True, env=os.environ | {
                "VITRINE_LIMITS": "standard=1000000000", "VITRINE_OBSERVATORY_PORT": str(free_port())})
        processes.append(shop)
        trusted = next(m.group(1) for m in (re.search(r"shown only now: (vk_\S+)", line) for line in shop.stdout) if m)
        threading.Thread(target=lambda out=shop.stdout: all(True for _ in out), daemon=True).start()
        base = "http://127.0.0.1:%d/v1" % port
        key = json.loads(ask("POST", base + "/keys", trusted, {"name": "bench", "scopes": ["read:products"]}))["secret"]
        url = base + "/products/" + json.loads(ask("GET", base + "/products?limit=1", trusted))["items"][0]["id"]
        name = "vitrine" if number == 0 else program
        pairs[name] = (shop.pid, (url, trusted), (url, key))
        for what, asked in [("detail", url), ("list", base + "/products?limit=20")]:
            tag = answer("GET", asked, trusted).headers["ETag"]
            pairs["%s, %s unchanged" % (name, what)] = (shop.pid, (asked, trusted), (asked, trusted, tag))
    (folder / "detail").write_bytes(ask("GET", url, key))
    nginx, port = start_nginx(folder, {"detail": (folder / "detail").read_bytes()})
    processes.append(nginx)
    pairs["nginx, limit_req"] = (
        nginx.pid, *(("http://127.0.0.1:%d/%s" % (port, path), key) for path in ["detail", "limited/detail"]))
    haproxies = [start_haproxy(folder, folder / "detail", counts) for counts in [False, True]]
    processes += [process for process, _ in haproxies]
    asked = {name: [(pid, *one) for one in both] for name, (pid, *both) in pairs.items()}
    asked["haproxy, stick table"] = [(process.pid, "http://127.0.0.1:%d/detail" % port, key) for process, port in haproxies]
    for turn in range(options.turns):
        for name, both in random.sample(list(asked.items()), len(asked)):
            for one in both:
                measure(*one)
            # What both of a pair have in common, such as what else the machine does, is not told as a difference.
            for _ in range(options.pairs):
                for is_limited in random.sample([False, True], 2):
                    runs.setdefault((name, is_limited), []).append(measure(*both[is_limited]))
finally:
    for process in processes:
        process.terminate()
    for process in processes:
        process.wait(30)
    shutil.rmtree(folder, ignore_errors=True)
rows = []
print("%-44s %10s %10s %10s   %s" % ("ready answer, CPU µs", "without", "with", "added", "95 % interval of what is added"))
for name in dict.fromkeys(name for name, _ in runs):
    without, limited = runs[name, False], runs[name, True]
    added = sorted(b - a for a, b in zip(without, limited))
    # Of the median, by the order of the values (David and Nagaraja, Order Statistics, section 7.1).
    reach = round(0.98 * len(added) ** 0.5)
    low, high = added[max(0, len(added) // 2 - reach)], added[min(len(added) - 1, len(added) // 2 + reach)]
    row = {"server": os.path.relpath(name, root) if name.startswith("/") else name, "pairs": len(added),
           "without_us": round(statistics.median(without), 2), "with_us": round(statistics.median(limited), 2),
           "added_us": round(statistics.median(added), 3), "added_interval_us": [round(low, 3), round(high, 3)]}
    rows.append(row)
    print("%-44s %10.2f %10.2f %10.3f   %.3f to %.3f" % (
        row["server"], row["without_us"], row["with_us"], row["added_us"], low, high))
pathlib.Path(options.output).write_text(json.dumps(rows, indent=1) + "\n")
