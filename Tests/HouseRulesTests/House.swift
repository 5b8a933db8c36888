// SPDX-License-Identifier: Apache-2.0

import Foundation

/// The house as its files are: targets, imports, lines. Read as text, so that the rules hold before anything compiles.
struct House {
    struct File {
        /// From the package's root: `Sources/Ordering/UseCases/PlaceOrder.swift`.
        let path: String
        let lines: [String]

        var target: String { path.split(separator: "/").count > 1 ? String(path.split(separator: "/")[1]) : "" }

        /// The path inside the target: `UseCases/PlaceOrder.swift`.
        var inside: String { path.split(separator: "/").dropFirst(2).joined(separator: "/") }

        let imports: [String]
        /// Lines without comments and without the insides of string literals.
        let code: [String]

        init(path: String, lines: [String]) {
            self.path = path
            self.lines = lines
            imports = lines.compactMap { line in
                guard line.has("import ") else { return nil }
                return line.wholeMatch(of: Self.importing).map { String($0.1) }
            }
            var isInText = false
            code = lines.map { line in
                let delimiters = line.has("\"\"\"") ? line.components(separatedBy: "\"\"\"").count - 1 : 0
                defer { if delimiters % 2 == 1 { isInText.toggle() } }
                if isInText && delimiters == 0 { return "" }
                if line.drop(while: { $0 == " " }).hasPrefix("//") { return "" }
                guard line.has("\"") || line.has(" // ") else { return line }
                return line.replacing(Self.text, with: "\"\"").replacing(Self.comment, with: "")
            }
        }

        private nonisolated(unsafe) static let importing =
            #/(?:@testable |@preconcurrency )*(?:public |package |internal )?import (?:struct |class |enum )?(\w+).*/#
        private nonisolated(unsafe) static let text = #/"(?:[^"\\]|\\.)*"/#
        private nonisolated(unsafe) static let comment = #/ \/\/ .*/#
    }

    let root: URL
    let sources: [File]
    let manifest: String

    /// Read once: the rules should take no longer than a glance.
    static let shared = Result { try House() }

    private init() throws {
        root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent()
        manifest = try String(contentsOf: root.appending(path: "Package.swift"), encoding: .utf8)
        let folder = root.appending(path: "Sources")
        let enumerator = FileManager.default.enumerator(atPath: folder.path)
        var files: [File] = []
        while let path = enumerator?.nextObject() as? String {
            guard path.hasSuffix(".swift") else { continue }
            let text = try String(contentsOf: folder.appending(path: path), encoding: .utf8)
            files.append(File(path: "Sources/" + path, lines: text.components(separatedBy: "\n")))
        }
        sources = files.sorted { $0.path < $1.path }
    }

    var targets: Set<String> { Set(sources.map(\.target)) }

    /// What the manifest says a target depends on, by name.
    func dependencies(of target: String) throws -> Set<String> {
        guard
            let match = try manifest.firstMatch(
                of: Regex("(?:room\\(|name: )\\s*\"\(target)\",(?s:.*?)(\\[(?s:.*?)\\])")),
            let list = match.output[1].substring
        else { return [] }
        let names = list.matches(of: #/"(\w+)"|\b([a-z]\w+)\b/#).compactMap { $0.output.1 ?? $0.output.2 }
        return Set(names.map { Self.modules[String($0)] ?? String($0) })
    }

    /// The manifest's short names of packages, by the module they bring.
    private static let modules = [
        "hummingbird": "Hummingbird", "hummingbirdCore": "HummingbirdCore", "hummingbirdHTTP2": "HummingbirdHTTP2",
        "httpTypes": "HTTPTypes",
        "nioCore": "NIOCore", "nioPosix": "NIOPosix",
        "nioHTTP1": "NIOHTTP1", "nioHTTP2": "NIOHTTP2", "nioHPACK": "NIOHPACK", "nioSSL": "NIOSSL",
        "nioHTTPTypes": "NIOHTTPTypes", "nioWebSocket": "NIOWebSocket", "nioTLS": "NIOTLS",
        "nioEmbedded": "NIOEmbedded", "logging": "Logging",
        "lifecycle": "ServiceLifecycle",
        "signals": "UnixSignals", "coreMetrics": "CoreMetrics", "metrics": "Metrics", "tracing": "Tracing",
        "instrumentation": "Instrumentation", "serviceContext": "ServiceContextModule",
        "asyncHTTPClient": "AsyncHTTPClient", "crypto": "Crypto", "cryptoExtras": "CryptoExtras",
        "arguments": "ArgumentParser", "yams": "Yams", "mustache": "Mustache",
    ]
}

extension String {
    /// Whether `text` occurs, found without the machinery of regular expressions.
    func has(_ text: String) -> Bool { withCString { line in text.withCString { strstr(line, $0) != nil } } }

    func hasAny(_ texts: String...) -> Bool { texts.contains { has($0) } }
}
