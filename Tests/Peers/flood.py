# SPDX-License-Identifier: Apache-2.0
"""Label values without end, as careless senders make them, by all three ways into an observatory at once: remote write, OTLP, and a
target that is scraped. Beside them, each way tells of a hundred series that are always the same, and have the number of the turn.

Arguments: how many values by each way, and in how many seconds; a target shows those of three seconds at once. Prints the target's
port; reads the observatory's address from standard input, and begins. Prints how long it took, or what went wrong, and goes on
showing what is known until its input ends."""
import http.client
import http.server
import struct
import sys
import threading
import time
import urllib.parse

COUNT, SECONDS = int(sys.argv[1]), int(sys.argv[2])
SCRAPES = max(2, SECONDS // 3)


def varint(value):
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    out.append(value)
    return bytes(out)


def field(number, body):
    return varint(number << 3 | 2) + varint(len(body)) + body


def fixed(number, value):
    return varint(number << 3 | 1) + value


def values(turn, turns):
    """The label values of one of so many turns, all of one length: those that are known, and those that are new."""
    new = range(COUNT * turn // turns, COUNT * (turn + 1) // turns) if turn < turns else ()
    return [b"known %08d" % place for place in range(100)], [b"value %08d" % place for place in new]


def each(make, ids):
    """A message for each of `ids`; `make` is asked once, and its mark replaced."""
    mark = b"#" * len(ids[0])
    before, after = make(mark).split(mark)
    return b"".join(before + value + after for value in ids)


def written(turn):
    """A snappy block of one literal with a request of remote write 1.0."""
    now, known = varint(int(time.time() * 1000)), struct.pack("<d", turn + 1)

    def series(name, value):
        labels = [(b"__name__", name), (b"id", value), (b"job", b"careless writer")]
        return field(1, b"".join(field(1, field(1, key) + field(2, value)) for key, value in labels)
                     + field(2, fixed(1, known) + b"\x10" + now))

    body = b"".join(each(lambda mark, name=name: series(name, mark), ids)
                    for name, ids in zip((b"known_written", b"wild_written"), values(turn, SECONDS)))
    return varint(len(body)) + b"\xfc" + struct.pack("<I", len(body) - 1) + body


def told(turn):
    """An ExportMetricsServiceRequest with cumulative counters."""
    now = struct.pack("<Q", time.time_ns())

    def point(value):
        return field(1, field(7, field(1, b"id") + field(2, field(1, value)))
                     + fixed(2, struct.pack("<Q", START)) + fixed(3, now) + fixed(6, struct.pack("<q", turn + 1)))

    metrics = b"".join(field(2, field(1, name) + field(7, each(point, ids) + b"\x10\x02\x18\x01"))
                       for name, ids in zip((b"known_told", b"wild_told"), values(turn, SECONDS)))
    service = field(1, field(1, b"service.name") + field(2, field(1, b"careless service")))
    return field(1, field(1, service) + field(2, metrics))


def shown(turn):
    known, new = values(turn, SCRAPES)
    return b"".join(
        [b"# TYPE known_shown counter\n"] + [b'known_shown{id="%s"} %d\n' % (value, turn + 1) for value in known]
        + [b"# TYPE wild_shown counter\n"] + [b'wild_shown{id="%s"} %d\n' % (value, turn + 1) for value in new])


class Target(http.server.BaseHTTPRequestHandler):
    turn, done = 0, threading.Event()

    def do_GET(self):
        body = shown(Target.turn) if begun.is_set() else b""
        if begun.is_set() and Target.turn < SCRAPES:
            Target.turn += 1
        elif begun.is_set():
            # This one after the last says that the last was taken in.
            Target.done.set()
        self.send_response(200)
        self.send_header("Content-Type", "text/plain; version=0.0.4")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


def send(path, make, headers):
    try:
        connection = http.client.HTTPConnection(where.hostname, where.port, timeout=60)
        for turn in range(SECONDS):
            body, tries = make(turn), 0
            while True:
                connection.request("POST", path, body, headers)
                answer = connection.getresponse()
                said = answer.read()
                if answer.status not in (429, 503) or tries == 300:
                    break
                tries += 1
                time.sleep(0.1)
            if answer.status not in (200, 204):
                raise OSError("%d %s" % (answer.status, said[:200]))
            time.sleep(max(0, began + turn + 1 - time.monotonic()))
    except (OSError, http.client.HTTPException) as error:
        failures.append("%s: %r" % (path, error))


START, begun, failures = time.time_ns(), threading.Event(), []
target = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Target)
threading.Thread(target=target.serve_forever, daemon=True).start()
print("port %d" % target.server_port, flush=True)
where = urllib.parse.urlparse(sys.stdin.readline().strip())
began = time.monotonic()
begun.set()
ways = [threading.Thread(target=send, args=way) for way in (
    ("/api/v1/write", written, {"Content-Encoding": "snappy", "Content-Type": "application/x-protobuf"}),
    ("/v1/metrics", told, {"Content-Type": "application/x-protobuf"}))]
for way in ways:
    way.start()
for way in ways:
    way.join()
if not Target.done.wait(60 + SECONDS):
    failures.append("scraped %d times" % Target.turn)
print("failed: %s" % failures if failures else "sent in %d s" % (time.monotonic() - began), flush=True)
sys.stdin.read()
