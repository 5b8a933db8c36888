# SPDX-License-Identifier: Apache-2.0
"""A name server (RFC 1035) that knows some services of `shop.example`, by UDP and, where an answer is too long for that, by TCP. Prints
its port, and ends with its input."""
import os
import socket
import socketserver
import struct
import sys
import threading


def name(text):
    return b"".join(bytes([len(part)]) + part.encode() for part in text.rstrip(".").split(".") if part) + b"\0"


def record(kind, data):
    # The name of the question.
    return b"\xc0\x0c" + struct.pack(">HHIH", kind, 1, 60, len(data)) + data


def service(host, port):
    return record(33, struct.pack(">HHH", 1, 1, port) + name(host))


SERVICES = {
    "_metrics": [service("a.shop.example.", 9100), record(5, name("alias.shop.example")), service("b.shop.example.", 9200),
                 service("a.shop.example.", 9100)],
    "_many": [service("host-%d.shop.example" % number, 10_000 + number) for number in range(200)],
    "_nowhere": [service(".", 0)],
    "_damaged": [record(33, b"\0\1\0\1\0\1\xc0\xff")],
}


def answer(request, most):
    asked = request[13:13 + request[12]].decode()
    question = request[12:request.index(b"\0", 12) + 5]
    records = SERVICES.get(asked, [])
    flags = 0x8180 if records else 0x8183
    whole = b"".join(records)
    if 12 + len(question) + len(whole) > most:
        return request[:2] + struct.pack(">HHHHH", flags | 0x0200, 1, 0, 0, 0) + question
    return request[:2] + struct.pack(">HHHHH", flags, 1, len(records), 0, 0) + question + whole


class Stream(socketserver.StreamRequestHandler):
    def handle(self):
        size = self.rfile.read(2)
        if size:
            said = answer(self.rfile.read(struct.unpack(">H", size)[0]), 65_535)
            self.wfile.write(struct.pack(">H", len(said)) + said)


streams = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Stream)
packets = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
packets.bind(("127.0.0.1", streams.server_address[1]))
threading.Thread(target=streams.serve_forever, daemon=True).start()
print(streams.server_address[1], flush=True)
threading.Thread(target=lambda: (sys.stdin.read(), os._exit(0)), daemon=True).start()
while True:
    request, sender = packets.recvfrom(4_096)
    packets.sendto(answer(request, 512), sender)
