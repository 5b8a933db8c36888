# SPDX-License-Identifier: Apache-2.0
"""What the first bytes of a connection come to, however they are cut: prints the first line of each answer.

door.py PORT
"""
import socket
import sys

upgrade = "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
host = f"Host: 127.0.0.1:{sys.argv[1]}\r\n"
tail = "/loki/api/v1/tail?query=%7Bservice_name%3D%22shop%22%7D"
requests = {
    "whole": (f"GET {tail} HTTP/1.1\r\n{host}{upgrade}\r\n", 10_000),
    "by bytes": (f"GET {tail} HTTP/1.1\r\n{host}{upgrade}\r\n", 1),
    "no upgrade": (f"GET {tail} HTTP/1.1\r\n{host}\r\n", 1),
    "no key": (f"GET {tail} HTTP/1.1\r\n{host}Upgrade: websocket\r\n\r\n", 3),
    "another path": (f"GET /loki/api/v1/labels HTTP/1.1\r\n{host}{upgrade}\r\n", 1),
    "another upgrade": (f"GET /loki/api/v1/labels HTTP/1.1\r\n{host}Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n\r\n", 7),
    "a body": (f"POST /loki/api/v1/query HTTP/1.1\r\n{host}{upgrade}Content-Length: 19\r\n\r\nquery=vector(1)%2B1", 5),
    "a long head": (f"GET {tail} HTTP/1.1\r\n{host}{upgrade}X-Long: {'x' * 40_000}\r\n\r\n", 10_000),
    "no HTTP": ("GET /loki/api/v1/tail\r\n\r\n", 10_000),
}
for name, (request, piece) in requests.items():
    with socket.create_connection(("127.0.0.1", int(sys.argv[1]))) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection.settimeout(20)
        for start in range(0, len(request), piece):
            connection.sendall(request[start:start + piece].encode())
        print(name, connection.recv(4096).split(b"\r\n")[0].decode(), flush=True)
# One that says that no more comes is not waited for.
for cut in (0, 3, 25, 90):
    with socket.create_connection(("127.0.0.1", int(sys.argv[1]))) as connection:
        connection.settimeout(20)
        connection.sendall(requests["whole"][0][:cut].encode())
        connection.shutdown(socket.SHUT_WR)
        print("half", cut, len(connection.recv(4096)), flush=True)
# One that goes in the middle of its head does no harm.
for cut in (0, 3, 25, 90):
    with socket.create_connection(("127.0.0.1", int(sys.argv[1]))) as connection:
        connection.sendall(requests["whole"][0][:cut].encode())
