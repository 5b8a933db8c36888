// SPDX-License-Identifier: Apache-2.0

import Telemetry
import Testing

@testable import Vitrine

struct TelemetrySettingsTests {
    @Test func `nothing is sent where nothing is named`() throws {
        let settings = try Configuration(environment: [:]).telemetry
        #expect(settings.traces == .none && settings.metrics == .none && settings.logs == .none)
        #expect(settings.exporter.signals.isEmpty && settings.share == nil && settings.service == "vitrine")
    }

    @Test func `an endpoint sends all signals, one of a signal sends that`() throws {
        let all = try Configuration(environment: ["OTEL_EXPORTER_OTLP_ENDPOINT": "http://c:4318"]).telemetry
        #expect(all.exporter.signals == Set(Signal.allCases))
        let logs = try Configuration(environment: ["OTEL_EXPORTER_OTLP_LOGS_ENDPOINT": "http://c:4318/x"]).telemetry
        #expect(logs.exporter.signals == [.logs] && logs.exporter[.logs].url == "http://c:4318/x")
        let mixed = try Configuration(environment: [
            "OTEL_EXPORTER_OTLP_ENDPOINT": "http://c:4318", "OTEL_TRACES_EXPORTER": "console",
            "OTEL_LOGS_EXPORTER": "none",
        ]).telemetry
        #expect(mixed.traces == .console && mixed.exporter.signals == [.metrics])
        let disabled = try Configuration(environment: [
            "OTEL_EXPORTER_OTLP_ENDPOINT": "http://c:4318", "OTEL_SDK_DISABLED": "true",
        ]).telemetry
        #expect(disabled.exporter.signals.isEmpty)
    }

    @Test func `the process is named by its own variable before the list`() throws {
        let both = try Configuration(environment: [
            "OTEL_SERVICE_NAME": "till", "OTEL_RESOURCE_ATTRIBUTES": "service.name=other,team=a%20b",
        ]).telemetry
        #expect(both.service == "till" && both.resource == [Attribute("team", .string("a b"))])
        let list = try Configuration(environment: ["OTEL_RESOURCE_ATTRIBUTES": "service.name=other"]).telemetry
        #expect(list.service == "other" && list.resource.isEmpty)
    }

    @Test func `samplers become shares`() throws {
        func share(_ sampler: String, _ argument: String = "") throws -> Double? {
            try Configuration(environment: [
                "OTEL_TRACES_SAMPLER": sampler, "OTEL_TRACES_SAMPLER_ARG": argument,
            ]).telemetry.share
        }
        #expect(try share("always_on") == 1 && share("parentbased_always_off") == 0)
        #expect(try share("parentbased_traceidratio", "0.25") == 0.25)
    }

    @Test(arguments: [
        ("OTEL_TRACES_EXPORTER", "zipkin"), ("OTEL_METRICS_EXPORTER", "console"), ("OTEL_TRACES_SAMPLER", "sometimes"),
        ("OTEL_RESOURCE_ATTRIBUTES", "team"), ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "grpc"),
    ])
    func `what is misspelt is named`(name: String, value: String) {
        let error = #expect(throws: (any Error).self) { try Configuration(environment: [name: value]) }
        #expect(error.map { "\($0)" }?.contains(name) == true)
    }
}
