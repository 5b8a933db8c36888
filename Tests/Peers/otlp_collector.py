#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A collector of other people's making: decodes with opentelemetry-proto what it is sent over HTTP and gRPC.

Prints its HTTP and gRPC ports on a line, and once its input is closed a JSON object of all it received. With `strict` as an
argument the first three calls of each protocol are answered with "come back", and the fourth takes its items but for one.
With `tls CERTIFICATE KEY` both speak TLS.
"""
import gzip
import http.server
import json
import ssl
import sys
import threading
from concurrent import futures

import grpc
from google.protobuf import json_format
from opentelemetry.proto.collector.logs.v1 import logs_service_pb2, logs_service_pb2_grpc
from opentelemetry.proto.collector.metrics.v1 import metrics_service_pb2, metrics_service_pb2_grpc
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2, trace_service_pb2_grpc

strict = "strict" in sys.argv
lock = threading.Lock()
received = {"traces": [], "metrics": [], "logs": []}
calls = {"http": 0, "grpc": 0}
kinds = {
    "traces": (trace_service_pb2.ExportTraceServiceRequest, trace_service_pb2.ExportTraceServiceResponse),
    "metrics": (metrics_service_pb2.ExportMetricsServiceRequest, metrics_service_pb2.ExportMetricsServiceResponse),
    "logs": (logs_service_pb2.ExportLogsServiceRequest, logs_service_pb2.ExportLogsServiceResponse),
}


def take(signal, message, protocol):
    """Whether it is taken, and the answer."""
    with lock:
        calls[protocol] += 1
        number = calls[protocol]
        if strict and number <= 3:
            return False, None
        received[signal].append(json_format.MessageToDict(message))
    answer = kinds[signal][1]()
    if strict and number == 4 and signal == "traces":
        answer.partial_success.rejected_spans = 1
        answer.partial_success.error_message = "one too many"
    return True, answer


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self.headers.get("Content-Encoding") == "gzip":
            body = gzip.decompress(body)
        signal = self.path.rsplit("/", 1)[1]
        assert self.headers["Content-Type"] == "application/x-protobuf"
        is_taken, answer = take(signal, kinds[signal][0].FromString(body), "http")
        content = answer.SerializeToString() if is_taken else b""
        self.send_response(200 if is_taken else 503)
        if not is_taken:
            self.send_header("Retry-After", "0")
        self.send_header("Content-Type", "application/x-protobuf")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_):
        pass


def servicer(signal, base):
    class Service(base):
        def Export(self, message, context):
            is_taken, answer = take(signal, message, "grpc")
            if not is_taken:
                context.abort(grpc.StatusCode.UNAVAILABLE, "come back")
            return answer

    return Service()


web = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
certificate = sys.argv[sys.argv.index("tls") + 1:] if "tls" in sys.argv else None
if certificate:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*certificate)
    web.socket = context.wrap_socket(web.socket, server_side=True)
threading.Thread(target=web.serve_forever, daemon=True).start()
server = grpc.server(futures.ThreadPoolExecutor(4))
trace_service_pb2_grpc.add_TraceServiceServicer_to_server(
    servicer("traces", trace_service_pb2_grpc.TraceServiceServicer), server)
metrics_service_pb2_grpc.add_MetricsServiceServicer_to_server(
    servicer("metrics", metrics_service_pb2_grpc.MetricsServiceServicer), server)
logs_service_pb2_grpc.add_LogsServiceServicer_to_server(
    servicer("logs", logs_service_pb2_grpc.LogsServiceServicer), server)
if certificate:
    chain, key = (open(name, "rb").read() for name in certificate)
    port = server.add_secure_port("127.0.0.1:0", grpc.ssl_server_credentials([(key, chain)]))
else:
    port = server.add_insecure_port("127.0.0.1:0")
server.start()
print(web.server_address[1], port, flush=True)
sys.stdin.read()
print(json.dumps(received), flush=True)
