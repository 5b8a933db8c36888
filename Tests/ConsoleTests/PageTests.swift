// SPDX-License-Identifier: Apache-2.0

import AsyncHTTPClient
import Foundation
import Kernel
import NIOCore
import ObservatoryAPI
import Telemetry
import TestSupport
import Testing

/// The pages over a real observatory.
struct PageTests {
    private static let paths = [
        "overview", "services", "services/evil", "traces", "traces?by=note",
        "traces?tags=note%3Da%20note%3Db&by=status", "traces?service=evil&sort=duration",
        "logs",
        "logs?text=%3Cb%3E", "metrics", "metrics?query=up", "journeys", "storage",
        "traces/4bf92f3577b34da6a3ce929d0e0e4736",
    ]
    private static let attack = #"</script><script>alert(1)</script>\" onload='x' <b>"#

    /// Services, spans, lines and metrics whose every text would like to be markup.
    private static func fill(_ observatory: TestObservatory) async throws {
        // Charts end on a whole step before now.
        let now = UInt64(Date().timeIntervalSince1970 * 1e9) - 20_000_000_000
        let attack = JSON.string(attack).text
        let resource = """
            "resource":{"attributes":[{"key":"service.name","value":{"stringValue":"evil"}},{"key":"host.name","value":{"stringValue":\(attack)}}]}
            """
        let attributes = """
            [{"key":"note","value":{"stringValue":\(attack)}},{"key":\(attack),"value":{"stringValue":"x"}}]
            """
        let trace = #""traceId":"4bf92f3577b34da6a3ce929d0e0e4736""#
        let spans = """
            {"resourceSpans":[{\(resource),"scopeSpans":[{"spans":[
            {\(trace),"spanId":"00f067aa0ba902b7","name":\(attack),"kind":2,"startTimeUnixNano":"\(now - 9_000_000)","endTimeUnixNano":"\(now)",
            "attributes":\(attributes),"status":{"code":2,"message":\(attack)},
            "events":[{"timeUnixNano":"\(now - 1_000)","name":\(attack),"attributes":\(attributes)}]},
            {\(trace),"spanId":"00f067aa0ba902b8","parentSpanId":"00f067aa0ba902b7","name":"inner","kind":3,
            "startTimeUnixNano":"\(now - 5_000_000)","endTimeUnixNano":"\(now - 1_000_000)","attributes":[]}]}]}]}
            """
        let logs = """
            {"resourceLogs":[{\(resource),"scopeLogs":[{"logRecords":[{"timeUnixNano":"\(now)","severityNumber":17,\(trace),
            "spanId":"00f067aa0ba902b7","body":{"stringValue":\(attack)},"attributes":\(attributes)}]}]}]}
            """
        let gauges = """
            {"resourceMetrics":[{\(resource),"scopeMetrics":[{"metrics":[{"name":"up","description":\(attack),"gauge":{"dataPoints":[
            {"timeUnixNano":"\(now)","asDouble":1,"attributes":\(attributes)}]}}]}]}]}
            """
        for (body, signal) in [(spans, Signal.traces), (logs, .logs), (gauges, .metrics)] {
            let status = try await observatory.otlp(body, signal).status
            #expect(status == 200)
        }
        let metrics = observatory.store.spanMetrics.samples(at: Int64(now / 1_000_000), interval: 10_000)
        _ = try await observatory.store.append(metrics)
    }

    @Test(arguments: paths)
    func `no text of strangers becomes markup`(path: String) async throws {
        try await TestObservatory.run { observatory in
            try await Self.fill(observatory)
            let answer = try await observatory.get("/console/\(path)")
            #expect(answer.status == 200)
            #expect(!answer.text.contains("This cannot be shown"), "\(answer.text.prefix(3_000))")
            let text = answer.text.lowercased()
            for piece in ["<script>alert", "onload='x'", "<b> "] { #expect(!text.contains(piece), "\(piece)") }
            // Our own script is the only one, and nothing is styled or run in place.
            #expect(text.components(separatedBy: "<script").count == 2)
            #expect(!text.contains("style=") && !text.contains("javascript:"))
            let policy = answer.headers["content-security-policy"] ?? ""
            #expect(policy.contains("default-src 'none'") && policy.contains("frame-ancestors 'none'"))
        }
    }

    @Test func `what was sent is on the pages`() async throws {
        try await TestObservatory.run { observatory in
            try await Self.fill(observatory)
            func has(_ path: String, _ words: String...) async throws {
                let text = try await observatory.get("/console/\(path)").text
                for word in words { #expect(text.contains(word), "\(path) lacks \(word)") }
            }
            try await has("services", "/console/services/evil")
            try await has("traces?service=evil", "1 failed", "/console/traces/4bf92f3577b34da6a3ce929d0e0e4736")
            try await has(
                "traces/4bf92f3577b34da6a3ce929d0e0e4736", "2 spans", "span-00f067aa0ba902b8", "Log lines",
                "What failed")
            try await has("logs?level=error", "One line fits", "state bad")
            try await has("metrics?query=up", "1 series")
            try await has("metrics", "<code>up</code>")
            try await has("storage", "Series by sender", "evil")
            try await has("traces?by=note", "Spans that are kept and fit")
            let missing = try await observatory.get("/console/traces/00000000000000000000000000000001")
            #expect(missing.status == 200 && missing.text.contains("is not here"))
            let wrong = try await observatory.get("/console/metrics", [("query", "sum(")])
            #expect(wrong.text.contains("This cannot be shown"))
            let door = try await observatory.get("/console/none")
            #expect(door.status == 404)
        }
    }

    @Test func `an empty observatory has pages that say so`() async throws {
        try await TestObservatory.run { observatory in
            for path in ["overview", "services", "traces", "logs", "metrics", "journeys", "storage"] {
                let answer = try await observatory.get("/console/\(path)")
                #expect(answer.status == 200 && !answer.text.contains("This cannot be shown"), "\(path)")
            }
        }
    }

    @Test func `a token is asked for, kept where no script reads it, and forgotten`() async throws {
        try await TestObservatory.run(access: ObservatoryAccess(operatorToken: "s3cret&=")) { observatory in
            let refused = try await observatory.visit("/console/logs?text=a")
            #expect(refused.status == 303)
            #expect(refused.headers["location"] == "/console/login?then=%2Fconsole%2Flogs%3Ftext%3Da")
            let page = try await observatory.visit("/console/login?then=%2Fconsole%2Flogs")
            #expect(page.status == 200 && page.text.contains("value=\"/console/logs\""))
            let wrong = try await observatory.visit("/console/login", form: "token=nope&then=%2Fconsole%2Flogs")
            #expect(wrong.status == 303 && wrong.headers["set-cookie"] == nil)
            let right = try await observatory.visit(
                "/console/login", form: "token=s3cret%26%3D&then=%2F%2Fevil.example")
            #expect(right.headers["location"] == "/console/overview")
            let cookie = right.headers["set-cookie"] ?? ""
            #expect(
                cookie.contains("HttpOnly") && cookie.contains("SameSite=Strict") && cookie.contains("Path=/console"))
            let kept = String(cookie.prefix { $0 != ";" })
            let shown = try await observatory.visit("/console/logs", cookie: kept)
            #expect(shown.status == 200)
            // It opens the pages and not the APIs: what another site makes a browser send is worth nothing there.
            let api = try await observatory.visit("/api/v1/labels", cookie: kept)
            #expect(api.status == 401)
            let out = try await observatory.visit("/console/logout", form: "")
            #expect(out.headers["set-cookie"]?.contains("Max-Age=0") == true)
            let stream = try await observatory.visit("/console/logs?live=1")
            #expect(stream.status == 401)
        }
    }

    @Test func `a page that is looked at brings what is new`() async throws {
        try await TestObservatory.run { observatory in
            var request = HTTPClientRequest(url: "http://127.0.0.1:\(observatory.port)/console/logs?live=1")
            request.headers.add(name: "Accept", value: "text/event-stream")
            let response = try await HTTPClient.shared.execute(request, timeout: .seconds(60))
            #expect(response.headers.first(name: "Content-Type") == "text/event-stream")
            try await Self.fill(observatory)
            var (text, isSeen) = ("", false)
            for try await piece in response.body {
                text += String(buffer: piece)
                isSeen = text.contains("One line fits")
                if isSeen { break }
            }
            #expect(isSeen && text.contains("data: {\"id\":\"lines\""))
            #expect(!text.contains("<script>alert"))
        }
    }
}
