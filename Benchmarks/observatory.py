# SPDX-License-Identifier: Apache-2.0
"""The observatory beside Prometheus and VictoriaMetrics: the same samples by remote write, the same questions, in one run.

20,000 series of 360 samples ten seconds apart: 30 % counters of whole numbers, 10 % sums with random mantissas, 20 % small
gauges, 10 % sizes in bytes, 20 % decimal numbers, 10 % constants. See Benchmarks/README.md.
"""
import argparse
import http.client
import json
import os
import pathlib
import random
import shutil
import signal
import statistics
import struct
import subprocess
import sys
import tempfile
import time
import urllib.parse
import urllib.request

import cramjam

from servers import cpu, field, free_port, in_parallel, peak, varint

root = pathlib.Path(__file__).resolve().parent.parent
options = argparse.ArgumentParser()
options.add_argument("--series", type=int, default=20_000)
options.add_argument("--steps", type=int, default=360)
options.add_argument("--output", default=str(root / "Benchmarks/Results/observatory.json"))
options.add_argument("--only", help="names of servers, separated by commas")
options = options.parse_args()
# As many connections as batches of a step, so that each has series of its own.
SERIES, STEPS, CONNECTIONS = options.series, options.steps, 4
BATCH = -(-SERIES // CONNECTIONS)
START = (int(time.time()) - STEPS * 10 - 60) // 10 * 10


def labels_of(place):
    kind = place % 10
    base = {"job": "vitrine", "instance": "10.0.%d.%d:9100" % (place // 2000, place // 10 % 200)}
    if kind == 0:
        base |= {"__name__": "http_requests_total", "route": "/v1/r%d" % (place // 10 % 40), "method": "GET", "status": "200"}
    elif kind in (1, 2):
        bounds = ["0.005", "0.01", "0.05", "0.1", "0.25", "0.5", "1", "2.5", "10", "+Inf"]
        base |= {"__name__": "http_request_duration_seconds_bucket", "route": "/v1/r%d" % (place // 100 % 40),
                 "le": bounds[place // 10 % 10]}
    else:
        names = {3: "http_request_duration_seconds_sum", 4: "pool_connections", 5: "queue_length",
                 6: "process_resident_memory_bytes", 7: "temperature_celsius", 8: "cpu_ratio", 9: "build_info"}
        base |= {"__name__": names[kind], "shard": str(place // 10)}
    base["id"] = str(place)
    return sorted(base.items())


def requests():
    """Bodies as a sender sends them, one after the other in time."""
    heads, state, rng = [], [], random.Random(7)
    for place in range(SERIES):
        heads.append(b"".join(field(1, field(1, k.encode()) + field(2, v.encode())) for k, v in labels_of(place)))
        state.append({6: rng.randrange(1 << 30), 9: 1.0}.get(place % 10, 0.0))
    for step in range(STEPS):
        stamp = varint((START + step * 10) * 1000)
        for first in range(0, SERIES, BATCH):
            parts = []
            for place in range(first, min(first + BATCH, SERIES)):
                kind = place % 10
                if kind < 3:
                    state[place] += rng.randrange(0, 40)
                elif kind == 3:
                    state[place] += rng.random()
                elif kind in (4, 5):
                    state[place] = rng.randrange(0, 20)
                elif kind == 6:
                    state[place] = max(0, state[place] + rng.randrange(-8, 9) * 4096)
                elif kind == 7:
                    state[place] = round(20 + rng.random() * 10, 1)
                elif kind == 8:
                    state[place] = round(rng.random(), 4)
                sample = b"\x09" + struct.pack("<d", state[place]) + b"\x10" + stamp
                body = heads[place] + b"\x12" + bytes([len(sample)]) + sample
                parts.append(b"\x0a" + varint(len(body)) + body)
            yield bytes(cramjam.snappy.compress_raw(b"".join(parts)))


def size(*folders):
    return sum(f.stat().st_size for folder in folders for f in pathlib.Path(folder).rglob("*") if f.is_file())


class Server:
    def __init__(self, name, command, write, ready, folder):
        self.name, self.command, self.write, self.ready, self.folder = name, command, write, ready, folder
        self.port, self.asking = free_port(), None

    def start(self):
        began = time.monotonic()
        command = [part.format(port=self.port, folder=self.folder) for part in self.command]
        self.process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        while True:
            try:
                if urllib.request.urlopen(self.url(self.ready), timeout=1).status == 200:
                    return time.monotonic() - began
            except OSError:
                if self.process.poll() is not None:
                    raise SystemExit("%s does not start" % self.name)
                time.sleep(0.01)

    def url(self, path):
        return "http://127.0.0.1:%d%s" % (self.port, path)

    def stop(self, how=signal.SIGTERM):
        self.process.send_signal(how)
        self.process.wait()
        self.asking = None

    def send(self, bodies):
        """From a few connections at once, each with series of its own, in the order of time."""
        failures = []

        def work(first):
            connection = http.client.HTTPConnection("127.0.0.1", self.port)
            headers = {"Content-Encoding": "snappy", "Content-Type": "application/x-protobuf",
                       "X-Prometheus-Remote-Write-Version": "0.1.0"}
            for body in bodies[first::CONNECTIONS]:
                connection.request("POST", self.write, body, headers)
                answer = connection.getresponse()
                text = answer.read()
                if answer.status // 100 != 2:
                    failures.append((answer.status, text[:200]))
                    return

        in_parallel(CONNECTIONS, work)
        if failures:
            raise SystemExit("%s refuses: %s" % (self.name, failures[0]))

    def ask(self, path, **parameters):
        # Over a connection that is kept, as Grafana does.
        if not self.asking:
            self.asking = http.client.HTTPConnection("127.0.0.1", self.port, timeout=120)
        self.asking.request("GET", "/api/v1/" + path + "?" + urllib.parse.urlencode(parameters))
        answer = self.asking.getresponse()
        if answer.status != 200:
            raise SystemExit("%s says %d: %s" % (self.name, answer.status, answer.read()[:200]))
        return json.load(answer)["data"]["result"]


END = START + (STEPS - 1) * 10
RATE = 'sum by(route)(rate(http_requests_total[5m]))'
QUANTILE = 'histogram_quantile(0.99, sum by(le,route)(rate(http_request_duration_seconds_bucket[5m])))'
span = {"start": END - 55 * 60, "end": END, "step": 15}
QUESTIONS = {
    "rate by route, instant": ("query", {"query": RATE, "time": END}),
    "rate by route, 55 min": ("query_range", {"query": RATE, **span}),
    "quantile by route, 55 min": ("query_range", {"query": QUANTILE, **span}),
    "count of all series": ("query", {"query": 'count({job="vitrine"})', "time": END}),
    "one series, an hour": ("query", {"query": 'cpu_ratio{id="18"}[1h]', "time": END}),
}


def measure(server, bodies):
    found = {}
    server.start()
    began = cpu(server.process.pid), time.monotonic()
    server.send(bodies)
    found["seconds"] = time.monotonic() - began[1]
    time.sleep(5)
    found["cpu_seconds"] = cpu(server.process.pid) - began[0]
    found["samples_per_cpu_second"] = SERIES * STEPS / found["cpu_seconds"]
    # All of them are asked the same before anything is tidied up, and answer the same.
    found["answers"] = {}
    for words, (path, parameters) in QUESTIONS.items():
        times = []
        for _ in range(7):
            asked = time.monotonic()
            result = server.ask(path, **parameters)
            times.append(time.monotonic() - asked)
        answer = found["answers"][words] = {
            "first_ms": times[0] * 1e3, "ms": statistics.median(times) * 1e3, "series": len(result)}
        if path == "query_range":
            # A second later each time, so that no step has been answered before; VictoriaMetrics would round the times off.
            times = []
            for later in range(1, 8):
                asked = time.monotonic()
                server.ask(path, **parameters | {"start": parameters["start"] - later, "end": END - later, "nocache": 1})
                times.append(time.monotonic() - asked)
            answer["anew_ms"] = statistics.median(times) * 1e3
    found["peak_mib"] = peak(server.process.pid)
    return found


def kept(server):
    """How many of the samples that were taken are there."""
    for _ in range(10):
        result = server.ask("query", query='sum(count_over_time({job="vitrine"}[%ds]))' % (STEPS * 10), time=END)
        found = int(result[0]["value"][1]) if result else 0
        if found == SERIES * STEPS:
            break
        # VictoriaMetrics shows what it took some seconds later.
        time.sleep(1)
    return found


def disk(server):
    if server.name == "prometheus":
        urllib.request.urlopen(urllib.request.Request(server.url("/api/v1/admin/tsdb/snapshot"), method="POST"))
        server.stop()
        return size(server.folder + "/snapshots")
    if server.name == "victoriametrics":
        urllib.request.urlopen(server.url("/internal/force_flush"))
        urllib.request.urlopen(server.url("/internal/force_merge"))
        time.sleep(15)
        server.stop()
        return size(server.folder + "/data", server.folder + "/indexdb")
    server.stop()
    return size(server.folder)


def main():
    vitrine = str(root / ".build/release/vitrine")
    servers = [
        ("vitrine", [vitrine, "observe", "--directory", "{folder}", "--port", "{port}", "--otlp-http-port", "0",
                     "--otlp-grpc-port", "0"], "/api/v1/write", "/-/ready"),
        ("prometheus", ["prometheus", "--config.file=/dev/null", "--storage.tsdb.path={folder}", "--web.enable-admin-api",
                        "--enable-feature=remote-write-receiver", "--web.enable-remote-write-receiver",
                        "--web.listen-address=127.0.0.1:{port}"], "/api/v1/write", "/-/ready"),
        ("victoriametrics", ["victoria-metrics", "-storageDataPath={folder}", "-httpListenAddr=127.0.0.1:{port}",
                             "-retentionPeriod=100y", "-search.latencyOffset=0s"], "/api/v1/write", "/health"),
    ]
    chosen = options.only.split(",") if options.only else [name for name, *_ in servers]
    print("making %d samples ..." % (SERIES * STEPS), flush=True)
    bodies = list(requests())
    results = {}
    for name, command, write, ready in servers:
        if name not in chosen or not shutil.which(command[0]):
            continue
        folder = tempfile.mkdtemp()
        server = Server(name, command, write, ready, folder)
        found = measure(server, bodies)
        server.stop(signal.SIGKILL)
        found["restart_seconds"] = server.start()
        found["kept"] = kept(server)
        if found["kept"] < SERIES * STEPS:
            # What was lost takes no place: those are the bytes of all samples only after they are sent once more.
            server.stop()
            shutil.rmtree(folder)
            server.start()
            server.send(bodies)
            assert kept(server) == SERIES * STEPS
        found["bytes_per_sample"] = disk(server) / (SERIES * STEPS)
        shutil.rmtree(folder)
        results[name] = found
        print("%-16s %8.0f samples/CPU s  %5.1f s  %4.0f MiB  %5.2f B/sample  restart %5.2f s, %d lost" % (
            name, found["samples_per_cpu_second"], found["seconds"], found["peak_mib"], found["bytes_per_sample"],
            found["restart_seconds"], SERIES * STEPS - found["kept"]), flush=True)
        for words, answer in found["answers"].items():
            anew = "  anew %8.1f ms" % answer["anew_ms"] if "anew_ms" in answer else ""
            print("    %-28s %8.1f ms  first %8.1f ms%s  %d series" % (
                words, answer["ms"], answer["first_ms"], anew, answer["series"]), flush=True)
    pathlib.Path(options.output).parent.mkdir(parents=True, exist_ok=True)
    pathlib.Path(options.output).write_text(json.dumps(
        {"series": SERIES, "steps": STEPS, "cores": os.cpu_count(), "results": results}, indent=1) + "\n")


main()
