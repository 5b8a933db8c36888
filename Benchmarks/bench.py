# SPDX-License-Identifier: Apache-2.0
"""The shop beside a bare Hummingbird route, nginx, haproxy, pgbench and django-oscar, in one run. See Benchmarks/README.md."""
import argparse
import json
import os
import pathlib
import platform
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request

from servers import fill_pgbench, free_port, pgbench, post, prepare_orders, start_haproxy, start_nginx, start_postgres, wait_for

root = pathlib.Path(__file__).resolve().parent.parent
options = argparse.ArgumentParser()
options.add_argument("--seconds", type=int, default=8)
options.add_argument("--connections", type=int, default=64)
options.add_argument("--output", default=str(root / "Benchmarks/Results/latest.json"))
options = options.parse_args()
sys.dont_write_bytecode = True
sys.path.insert(0, str(root / "Benchmarks/oscar"))
import peer  # noqa: E402


def family(pid):
    """A process and its children, for nginx works in children."""
    found = [pid]
    for entry in pathlib.Path("/proc").glob("[0-9]*"):
        try:
            if int((entry / "stat").read_text().rsplit(")", 1)[1].split()[1]) == pid:
                found.append(int(entry.name))
        except (OSError, ValueError):
            pass
    return found


def cpu_seconds(pid):
    ticks = 0
    for one in family(pid):
        try:
            fields = pathlib.Path("/proc/%d/stat" % one).read_text().rsplit(")", 1)[1].split()
        except (FileNotFoundError, ProcessLookupError):
            continue  # It has ended since it was listed; its time is not known.
        ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")


def memory_mb(pid):
    total = 0
    for one in family(pid):
        try:
            text = pathlib.Path("/proc/%d/smaps_rollup" % one).read_text()
        except (FileNotFoundError, ProcessLookupError):
            continue  # It has ended since it was listed.
        total += int(re.search(r"^Pss:\s+(\d+)", text, re.M).group(1))
    return total / 1024


def wrk(url, key=None, script=None, seconds=None, headers=()):
    command = ["wrk", "-t1", "-c%d" % options.connections, "-d%ds" % (seconds or options.seconds), "--latency", url]
    if key:
        command += ["-H", "Authorization: Bearer " + key]
    for header in headers:
        command += ["-H", header]
    if script:
        command += ["-s", script]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def milliseconds(text):
    number, unit = re.match(r"([\d.]+)(us|ms|s)", text).groups()
    return float(number) * {"us": 0.001, "ms": 1, "s": 1000}[unit]


def settle(pid):
    """Waits until what a warm-up left in the queue is worked off, so that it is not counted."""
    before = -1
    while (now := cpu_seconds(pid)) > before:
        before = now
        time.sleep(0.3)


def measure(name, what, pid, url, key=None, script=None, headers=()):
    wrk(url, key, script, seconds=2, headers=headers)
    settle(pid)
    before, start = cpu_seconds(pid), time.time()
    output = wrk(url, key, script, headers=headers)
    cpu, wall = cpu_seconds(pid) - before, time.time() - start
    requests = int(re.search(r"(\d+) requests in", output).group(1))
    bad = re.search(r"Non-2xx or 3xx responses: (\d+)", output)
    row = {
        "server": name, "request": what, "per_second": round(requests / wall), "cpu_us": round(cpu / requests * 1e6, 1),
        "p50_ms": milliseconds(re.search(r"^ +50% +(\S+)", output, re.M).group(1)),
        "p99_ms": milliseconds(re.search(r"^ +99% +(\S+)", output, re.M).group(1)), "memory_mb": round(memory_mb(pid)),
        "refused": int(bad.group(1)) if bad else 0, "peer_of": what,
    }
    rows.append(row)
    # What the requests left in queues is worked off, and what they took is given back.
    settle(pid)
    time.sleep(3)
    row["memory_at_rest_mb"] = round(memory_mb(pid))
    return row


def get(url, key):
    request = urllib.request.Request(url, headers={"Authorization": "Bearer " + key})
    return urllib.request.urlopen(request).read()


def tag_of(url, key):
    request = urllib.request.Request(url, headers={"Authorization": "Bearer " + key})
    return urllib.request.urlopen(request).headers["ETag"]


def measure_pgbench(server):
    fill_pgbench(server)
    start = time.time()
    output = pgbench(server, "-c", str(options.connections), "-j", "1", "-T", str(options.seconds))
    transactions = int(re.search(r"actually processed: (\d+)", output).group(1))
    rows.append({
        "server": "pgbench TPC-B", "request": "transaction", "per_second": round(transactions / (time.time() - start)),
        # Its processes end with the run, and their time with them.
        "cpu_us": 0,
        "p50_ms": float(re.search(r"latency average = ([\d.]+)", output).group(1)), "p99_ms": 0,
        "memory_mb": round(memory_mb(server["pid"])), "refused": 0, "peer_of": "order, durable, SQLite"})


rows, processes, sold = [], [], {}
peer.install(root / ".build/oscar")
folder = pathlib.Path(tempfile.mkdtemp())
try:
    subprocess.run(
        ["swift", "build", "-c", "release", "--package-path", str(root), "--product", "BareServer"], check=True)
    port = free_port()
    demo = subprocess.Popen(
        [str(root / ".build/release/vitrine"), "demo", "--shoppers", "0", "--port", str(port), "--data", str(folder / "shop")],
        stdout=subprocess.PIPE, text=True,
        # Never at its limit, so that only the counting is measured; the key that all else is measured with has none.
        env=os.environ | {"VITRINE_LIMITS": "standard=1000000000, search=1000000000, open=100000"})
    processes.append(demo)
    key = next(m.group(1) for m in (re.search(r"shown only now: (vk_\S+)", line) for line in demo.stdout) if m)
    base = "http://127.0.0.1:%d" % port
    items = json.loads(get(base + "/v1/products?limit=20", key))["items"]
    detail_path, list_path = "/v1/products/%s" % items[0]["id"], "/v1/products?limit=20"
    detail, listing = get(base + detail_path, key), get(base + list_path, key)

    measure("vitrine", "product detail (%d bytes)" % len(detail), demo.pid, base + detail_path, key)
    measure("vitrine", "list of 20 (%d bytes)" % len(listing), demo.pid, base + list_path, key)
    # The same where nothing is ready: an unusual field is enough to be sent the general way.
    general = ["TE: trailers"]
    measure("vitrine", "detail, general path", demo.pid, base + detail_path, key, headers=general)
    measure("vitrine", "list, general path", demo.pid, base + list_path, key, headers=general)
    tag = tag_of(base + detail_path, key)
    measure("vitrine", "detail, unchanged (304)", demo.pid, base + detail_path, key, headers=["If-None-Match: " + tag])

    limited = post(base + "/v1/keys", key, {"name": "bench", "scopes": ["read:products"]})["secret"]
    measure("vitrine, limited", rows[0]["request"], demo.pid, base + detail_path, limited)
    measure("vitrine, limited", "detail, general path", demo.pid, base + detail_path, limited, headers=general)

    script = prepare_orders(base, key, folder)
    order = json.dumps(post(base + "/v1/orders", key, {
        "currency": "GBP", "lines": [{"sku": "BENCH-0", "quantity": 1}], "payment": {"card": "sandbox_approve"}})).encode()
    measure("vitrine", "order, durable, SQLite", demo.pid, base + "/v1/orders", key, script)
    demo.send_signal(signal.SIGTERM)
    demo.wait(20)

    postgres, server = start_postgres(folder, ["shop", "tpcb", "oscar"])
    processes.append(postgres)
    measure_pgbench(server)
    on_postgres = subprocess.Popen(
        [str(root / ".build/release/vitrine"), "serve", "--database", server["url"], "--port", str(port)],
        stdout=subprocess.PIPE, text=True)
    processes.append(on_postgres)
    key = next(m.group(1) for m in (re.search(r"shown only now: (vk_\S+)", line) for line in on_postgres.stdout) if m)
    wait_for(port)
    script = prepare_orders(base, key, folder)
    measure("vitrine", "order, durable, Postgres", on_postgres.pid, base + "/v1/orders", key, script)
    on_postgres.send_signal(signal.SIGTERM)
    on_postgres.wait(20)

    # The peers answer the same bytes, and do nothing for them: no order is placed there.
    for what, data in zip([row["request"] for row in rows], [detail, listing]):
        (folder / "bytes").write_bytes(data)
        bare_port = free_port()
        bare = subprocess.Popen([str(root / ".build/release/BareServer"), str(bare_port), str(folder / "bytes")])
        processes.append(bare)
        wait_for(bare_port)
        measure("bare hummingbird", what, bare.pid, "http://127.0.0.1:%d/bytes" % bare_port)
        bare.terminate()
    # Django's shop does less for each: its list has five fields, its detail neither price nor stock, its order no payment.
    for engine, database in [("SQLite", "sqlite:%s/oscar.db" % folder), ("Postgres", server["url"].replace("/shop", "/oscar"))]:
        port = free_port()
        oscar = peer.start(root / ".build/oscar", port, database)
        processes.append(oscar)
        wait_for(port)
        base = "http://127.0.0.1:%d" % port
        name = "django-oscar, " + engine
        measure(name, rows[1]["request"], oscar.pid, base + "/api/products/?limit=20")
        measure(name, rows[0]["request"], oscar.pid, base + "/api/products/5/")
        rows.append(peer.measure_orders(
            name, "order, durable, " + engine, oscar.pid, base, options.connections, options.seconds, cpu_seconds, memory_mb))
        sold[name] = peer.oversell(base, 5001)
        oscar.send_signal(signal.SIGTERM)
        oscar.wait(20)
    nginx, nginx_port = start_nginx(folder, {"detail": detail, "list": listing})
    processes.append(nginx)
    measure("nginx", rows[0]["request"], nginx.pid, "http://127.0.0.1:%d/detail" % nginx_port)
    measure("nginx", rows[1]["request"], nginx.pid, "http://127.0.0.1:%d/list" % nginx_port)
    measure("nginx, limit_req", rows[0]["request"], nginx.pid, "http://127.0.0.1:%d/limited/detail" % nginx_port, limited)
    (folder / "www/detail").write_bytes(detail)
    for name, counts in [("haproxy", False), ("haproxy, stick table", True)]:
        haproxy, haproxy_port = start_haproxy(folder, folder / "www/detail", counts)
        processes.append(haproxy)
        measure(name, rows[0]["request"], haproxy.pid, "http://127.0.0.1:%d/detail" % haproxy_port, limited)
finally:
    for process in processes:
        process.send_signal(signal.SIGTERM)
    for process in processes:
        process.wait(20)
    shutil.rmtree(folder, ignore_errors=True)

ours = {row["request"]: row for row in rows if row["server"] == "vitrine"}
for row in rows:
    row["vitrine_is"] = round(ours[row["peer_of"]]["per_second"] / row["per_second"], 2)
    row["cpu_of_vitrine"] = round(row["cpu_us"] / ours[row["peer_of"]]["cpu_us"], 1)
cpu = re.search(r"model name\s*: (.*)", pathlib.Path("/proc/cpuinfo").read_text())
report = {
    "machine": {"cpu": cpu.group(1) if cpu else platform.processor(), "cores": os.cpu_count(), "kernel": platform.release()},
    "connections": options.connections, "seconds": options.seconds, "rows": rows,
    "sold_of_ten_to_sixty": sold,
}
pathlib.Path(options.output).write_text(json.dumps(report, indent=2) + "\n")
print("%(cpu)s, %(cores)s cores, Linux %(kernel)s" % report["machine"])
print("%-22s %-28s %9s %9s %8s %8s %6s %10s %9s" % (
    "server", "request", "per s", "cpu µs", "p50 ms", "p99 ms", "MB", "vitrine is", "its CPU"))
for row in rows:
    print("%(server)-22s %(request)-28s %(per_second)9d %(cpu_us)9.1f %(p50_ms)8.2f %(p99_ms)8.2f %(memory_mb)6d %(vitrine_is)9.2fx "
          "%(cpu_of_vitrine)8.1fx" % row)
for name, count in sold.items():
    print("%s sold %d of 10 units to 60 buyers at once" % (name, count))
print("\nIts CPU is the peer's for a request, in that of the shop. CPU is the server's own, in both modes, per request; memory is its proportional share.")
