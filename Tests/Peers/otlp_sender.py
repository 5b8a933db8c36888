#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Sends traces, metrics and logs with OpenTelemetry's own SDK, then asks what a receiver owes its clients.

otlp_sender.py HTTP_PORT GRPC_PORT sdk http|grpc gzip|none [https]   sends 1,000 spans, 10 points and 100 records;
    over TLS, and with a token, OpenTelemetry's variables say whom to trust and what to show
otlp_sender.py HTTP_PORT GRPC_PORT conformance               prints a JSON object of what came back
"""
import gzip
import json
import logging
import sys
import urllib.error
import urllib.request

import grpc
from google.protobuf import json_format
from google.rpc import status_pb2
from opentelemetry.proto.collector.logs.v1 import logs_service_pb2
from opentelemetry.proto.collector.metrics.v1 import metrics_service_pb2
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2, trace_service_pb2_grpc

http_port, grpc_port = int(sys.argv[1]), int(sys.argv[2])


def sdk(protocol, compression, scheme="http"):
    from opentelemetry import trace
    from opentelemetry._logs import SeverityNumber
    from opentelemetry.sdk._logs import LoggerProvider
    from opentelemetry.sdk._logs.export import BatchLogRecordProcessor
    from opentelemetry.sdk.metrics import MeterProvider
    from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
    from opentelemetry.sdk.metrics.view import ExponentialBucketHistogramAggregation, View
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    if protocol == "http":
        from opentelemetry.exporter.otlp.proto.http import Compression
        from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter
        from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter

        packing = Compression.Gzip if compression == "gzip" else Compression.NoCompression
        base = f"{scheme}://127.0.0.1:{http_port}/v1/"
        exporters = [
            OTLPSpanExporter(endpoint=base + "traces", compression=packing),
            OTLPMetricExporter(endpoint=base + "metrics", compression=packing),
            OTLPLogExporter(endpoint=base + "logs", compression=packing),
        ]
    else:
        from opentelemetry.exporter.otlp.proto.grpc._log_exporter import OTLPLogExporter
        from opentelemetry.exporter.otlp.proto.grpc.metric_exporter import OTLPMetricExporter
        from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter

        packing = grpc.Compression.Gzip if compression == "gzip" else grpc.Compression.NoCompression
        facts = {"endpoint": f"{scheme}://127.0.0.1:{grpc_port}", "compression": packing}
        if scheme == "http":
            facts["insecure"] = True
        exporters = [OTLPSpanExporter(**facts), OTLPMetricExporter(**facts), OTLPLogExporter(**facts)]

    resource = Resource.create({"service.name": "peer", "answer": 42})
    traces = TracerProvider(resource=resource)
    traces.add_span_processor(BatchSpanProcessor(exporters[0]))
    tracer = traces.get_tracer("peer.tracer", "1.2")
    for number in range(500):
        with tracer.start_as_current_span("outer", attributes={"number": number, "tags": ["a", "b"]}):
            try:
                with tracer.start_as_current_span("inner", kind=trace.SpanKind.CLIENT):
                    if number == 7:
                        raise ValueError("seven")
            except ValueError:
                pass
    reader = PeriodicExportingMetricReader(exporters[1], export_interval_millis=3_600_000)
    views = [View(instrument_name="fine", aggregation=ExponentialBucketHistogramAggregation())]
    metrics = MeterProvider(resource=resource, metric_readers=[reader], views=views)
    meter = metrics.get_meter("peer.meter")
    counter = meter.create_counter("sold", unit="{piece}")
    for number in range(6):
        counter.add(number + 1, {"shop": f"s{number}"})
    meter.create_up_down_counter("stock").add(-4)
    meter.create_gauge("level").set(0.5)
    coarse, fine = meter.create_histogram("coarse", unit="ms"), meter.create_histogram("fine")
    for value in (1, 7, 30, 2_000):
        coarse.record(value)
        fine.record(value)
    logs = LoggerProvider(resource=resource)
    logs.add_log_record_processor(BatchLogRecordProcessor(exporters[2]))
    logger = logs.get_logger("peer.logger")
    for number in range(100):
        logger.emit(body=f"line {number}", severity_number=SeverityNumber.WARN, attributes={"number": number})
    for provider in (traces, metrics, logs):
        provider.shutdown()


def request(spans=1, good=True):
    message = trace_service_pb2.ExportTraceServiceRequest()
    scope = message.resource_spans.add().scope_spans.add()
    for number in range(spans):
        scope.spans.add(
            trace_id=(number + 1).to_bytes(16, "big") if good else b"short", span_id=(number + 1).to_bytes(8, "big"))
    return message


def post(path, body, headers):
    call = urllib.request.Request(f"http://127.0.0.1:{http_port}{path}", data=body, headers=headers, method="POST")
    try:
        with urllib.request.urlopen(call) as answer:
            return answer.status, answer.headers, answer.read()
    except urllib.error.HTTPError as error:
        return error.code, error.headers, error.read()


def status(body, is_json=False):
    message = status_pb2.Status()
    if is_json:
        json_format.Parse(body, message)
    else:
        message.ParseFromString(body)
    return [message.code, message.message]


def conformance():
    found = {}
    protobuf, as_json = {"Content-Type": "application/x-protobuf"}, {"Content-Type": "application/json"}

    def http(name, path, body, headers):
        code, answer, content = post(path, body, headers)
        kind = answer.get("Content-Type", "")
        found[name] = {"status": code, "type": kind, "retry_after": answer.get("Retry-After")}
        if code == 200:
            message = trace_service_pb2.ExportTraceServiceResponse()
            json_format.Parse(content, message) if "json" in kind else message.ParseFromString(content)
            found[name]["rejected"] = message.partial_success.rejected_spans
            found[name]["set"] = message.HasField("partial_success")
        elif kind:
            found[name]["code"], found[name]["message"] = status(content, "json" in kind)

    good = request()
    http("empty", "/v1/traces", b"", protobuf)
    http("good", "/v1/traces", good.SerializeToString(), protobuf)
    http("json", "/v1/traces", json.dumps({"resourceSpans": [{"scopeSpans": [{"spans": [
        {"traceId": "5B8EFFF798038103D269B633813FC60C", "spanId": "eee19b7ec3c1b174"}]}]}]}).encode(), as_json)
    http("json_empty", "/v1/traces", b"{}", as_json)
    http("gzip", "/v1/traces", gzip.compress(good.SerializeToString()), {**protobuf, "Content-Encoding": "gzip"})
    http("rejected", "/v1/traces", request(3, good=False).SerializeToString(), protobuf)
    http("rejected_json", "/v1/traces", json.dumps({"resourceSpans": [{"scopeSpans": [{"spans": [
        {"traceId": "00", "spanId": "01"}]}]}]}).encode(), as_json)
    http("bad", "/v1/traces", b"\x0a\xff", protobuf)
    http("bad_json", "/v1/traces", b"{", as_json)
    http("not_gzip", "/v1/traces", b"{}", {**as_json, "Content-Encoding": "gzip"})
    http("bomb", "/v1/traces", gzip.compress(bytes(70 << 20)), {**protobuf, "Content-Encoding": "gzip"})
    http("type", "/v1/traces", b"x", {"Content-Type": "text/plain"})
    http("encoding", "/v1/traces", b"x", {**protobuf, "Content-Encoding": "br"})
    http("path", "/v1/nothing", b"", protobuf)

    options = [("grpc.max_send_message_length", 80 << 20)]
    channel = grpc.insecure_channel(f"127.0.0.1:{grpc_port}", options=options)
    service = trace_service_pb2_grpc.TraceServiceStub(channel)

    def call(name, act):
        try:
            answer = act()
            found[name] = {"code": 0, "rejected": answer.partial_success.rejected_spans}
        except grpc.RpcError as error:
            found[name] = {"code": error.code().value[0], "message": error.details()}

    def raw(method, body):
        return channel.unary_unary(
            method, request_serializer=bytes,
            response_deserializer=trace_service_pb2.ExportTraceServiceResponse.FromString)(body, timeout=60)

    export = "/opentelemetry.proto.collector.trace.v1.TraceService/Export"
    call("grpc_good", lambda: service.Export(good))
    call("grpc_gzip", lambda: service.Export(request(500), compression=grpc.Compression.Gzip))
    call("grpc_empty", lambda: service.Export(request(0)))
    call("grpc_rejected", lambda: service.Export(request(3, good=False)))
    call("grpc_bad", lambda: raw(export, b"\x0a\xff"))
    call("grpc_deflate", lambda: service.Export(good, compression=grpc.Compression.Deflate))
    call("grpc_method", lambda: raw("/opentelemetry.proto.collector.trace.v1.TraceService/Import", b""))
    call("grpc_large", lambda: raw(export, bytes(65 << 20)))
    call("grpc_after", lambda: service.Export(good))
    # Enough to need many windows of flow control, and several at once on one connection.
    big = request(60_000)
    calls = [service.Export.future(big) for _ in range(4)]
    found["grpc_many"] = {"codes": [call.exception() is None for call in calls]}
    found["bytes"] = {"big": big.ByteSize()}
    print(json.dumps(found))


logging.basicConfig(level=logging.ERROR)
if sys.argv[3] == "sdk":
    sdk(*sys.argv[4:])
else:
    conformance()
