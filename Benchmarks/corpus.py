# SPDX-License-Identifier: Apache-2.0
"""Spans and log records as shops have them, as bodies of OTLP, and an observatory to send them to."""
import http.client
import json
import pathlib
import signal
import struct
import subprocess
import time
import urllib.parse
import urllib.request

from servers import field, free_port, in_parallel, varint

root = pathlib.Path(__file__).resolve().parent.parent
CONNECTIONS, SPANS_PER_TRACE, TRACES_PER_REQUEST, LINES_PER_REQUEST = 4, 8, 64, 1_000
START = time.time_ns() - 1_200 * 10**9


def text(value):
    return field(1, value.encode())


def whole(value):
    return b"\x18" + varint(value)


def attribute(name, value, number=9):
    return field(number, field(1, name.encode()) + field(2, value))


def fixed(number, value):
    return varint(number << 3 | 1) + struct.pack("<Q", value)


def sender(service):
    return field(1, b"".join(attribute(n, text(v), 1) for n, v in [
        ("service.name", service), ("service.version", "1.4.2"), ("host.name", "node-3")]))


SERVICES = ["gateway", "shop", "payments", "mail"]
ROUTES = ["/v1/products", "/v1/products/{id}", "/v1/orders", "/v1/carts/{id}", "/v1/search"]


def traces(rng, count):
    """Requests of whole traces, and some of their ids."""
    requests, ids, total = [], [], 0
    for first in range(0, count, TRACES_PER_REQUEST):
        spans = {service: [] for service in SERVICES}
        for trace in range(first, min(first + TRACES_PER_REQUEST, count)):
            trace_id, root_id = rng.randbytes(16), rng.randbytes(8)
            ids.append(trace_id.hex())
            begin = START + trace * 40_000_000_000 // max(1, count // 25) + rng.randrange(1_000_000)
            route, failed = rng.choice(ROUTES), rng.random() < 0.01
            parent = b""
            for place in range(SPANS_PER_TRACE):
                span_id = root_id if place == 0 else rng.randbytes(8)
                service = SERVICES[min(3, place // 2)]
                start = begin + place * rng.randrange(100_000, 900_000)
                body = [
                    field(1, trace_id), field(2, span_id), field(4, parent) if parent else b"",
                    field(5, ("GET " + route if place % 2 == 0 else "SELECT shop.products").encode()),
                    b"\x30" + varint(2 if place % 2 == 0 else 3), fixed(7, start),
                    fixed(8, start + rng.randrange(200_000, 80_000_000)),
                    attribute("http.request.method", text("GET")), attribute("http.route", text(route)),
                    attribute("url.scheme", text("https")), attribute("server.address", text("shop.example")),
                    attribute("http.response.status_code", whole(500 if failed else 200)),
                    attribute("user.id", text("u%d" % rng.randrange(50_000))),
                    attribute("network.protocol.version", text("1.1")),
                    attribute("client.address", text("10.%d.%d.7" % (rng.randrange(8), rng.randrange(250)))),
                    attribute("thread.id", whole(rng.randrange(64))),
                    field(15, b"\x18\x02" if failed and place == SPANS_PER_TRACE - 1 else b"")]
                spans[service].append(field(2, b"".join(body)))
                parent = span_id
        body = b"".join(field(1, sender(service) + field(2, b"".join(found))) for service, found in spans.items())
        total += len(body)
        requests.append(body)
    return requests, ids, total


def lines(rng, count, ids):
    """Requests of log records, and the same as lines of JSON."""
    requests, rows = [], []
    for first in range(0, count, LINES_PER_REQUEST):
        records = []
        for place in range(first, min(first + LINES_PER_REQUEST, count)):
            at = START + place * 1_000_000_000_000 // count + rng.randrange(100_000)
            kind = rng.randrange(5)
            say = ["order %d placed for customer %d, total %d.%02d EUR" % (
                       place, rng.randrange(50_000), rng.randrange(400), rng.randrange(100)),
                   "GET %s 200 in %d ms" % (rng.choice(ROUTES), rng.randrange(90)),
                   "cache miss for product %d" % rng.randrange(20_000), "payment of order %d captured" % place,
                   "stock of article A-%d is now %d" % (rng.randrange(20_000), rng.randrange(500))][kind]
            if place == count // 3:
                say += " xylophonist"
            level, trace = ("WARN", "") if kind == 2 else ("INFO", ids[rng.randrange(len(ids))] if kind < 2 else "")
            records.append(field(2, b"".join([
                fixed(1, at), b"\x10" + varint(13 if kind == 2 else 9), field(3, level.encode()), field(5, text(say)),
                attribute("thread.name", text("worker-%d" % rng.randrange(8)), 6), fixed(11, at),
                field(9, bytes.fromhex(trace)) if trace else b"",
                field(10, bytes.fromhex(trace[:16])) if trace else b""])))
            row = {"time": at, "level": level, "service": "shop", "message": say, "thread": "worker-%d" % (place % 8)}
            rows.append(json.dumps(row | ({"trace_id": trace, "span_id": trace[:16]} if trace else {})))
        requests.append(field(1, sender("shop") + field(2, b"".join(records))))
    return requests, "\n".join(rows).encode()


class Observatory:
    def __init__(self, folder):
        self.folder, self.port = folder, free_port()

    def start(self):
        began = time.monotonic()
        self.process = subprocess.Popen(
            [str(root / ".build/release/vitrine"), "observe", "--directory", self.folder, "--port", str(self.port),
             "--otlp-http-port", "0", "--otlp-grpc-port", "0"], stdout=subprocess.DEVNULL)
        while True:
            try:
                urllib.request.urlopen("http://127.0.0.1:%d/-/ready" % self.port, timeout=1)
                return time.monotonic() - began
            except OSError:
                time.sleep(0.01)

    def stop(self, how=signal.SIGTERM):
        self.process.send_signal(how)
        self.process.wait()

    def send(self, path, bodies):
        failures = []

        def work(first):
            connection = http.client.HTTPConnection("127.0.0.1", self.port)
            for body in bodies[first::CONNECTIONS]:
                while True:
                    connection.request("POST", path, body, {"Content-Type": "application/x-protobuf"})
                    answer = connection.getresponse()
                    said = answer.read()
                    if answer.status not in (429, 503):
                        break
                    # As OTLP asks of senders: later again.
                    time.sleep(float(answer.headers.get("Retry-After", 1)))
                if said or answer.status != 200:
                    failures.append(answer.status)

        in_parallel(CONNECTIONS, work)
        if failures:
            raise SystemExit("refused: %s" % failures[:3])

    def ask(self, path, **parameters):
        began = time.monotonic()
        address = "http://127.0.0.1:%d%s?%s" % (self.port, path, urllib.parse.urlencode(parameters))
        with urllib.request.urlopen(address, timeout=120) as answer:
            found = json.load(answer)
        return (time.monotonic() - began) * 1e3, found
