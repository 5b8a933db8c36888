// SPDX-License-Identifier: Apache-2.0

internal import Kernel
internal import Web

/// Somebody looks at a page.
struct Visit: Sendable {
    /// The page's own address, without what is asked.
    let path: String
    /// What stands in the address: a service or a trace.
    let subject: String
    let parameters: [(name: String, value: String)]
    let window: TimeWindow
    let client: ObservatoryClient

    init(path: String, subject: String, query: String, now: Double, client: ObservatoryClient) {
        (self.path, self.subject, self.client) = (path, subject, client)
        let parameters = query.split(separator: "&").compactMap { pair -> (name: String, value: String)? in
            let parts = pair.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            guard let name = PercentEncoding.decode(parts[0]) else { return nil }
            return (name, parts.count > 1 ? PercentEncoding.decode(parts[1]) ?? "" : "")
        }
        self.parameters = parameters
        func text(_ name: String) -> String? { parameters.first { $0.name == name }?.value }
        window = TimeWindow(text("range"), from: text("from"), to: text("to"), now: now)
    }

    /// What was filled in; `nil` where that is nothing.
    subscript(name: String) -> String? {
        parameters.first { $0.name == name }.flatMap { $0.value.isEmpty ? nil : $0.value }
    }

    /// The address of a page about the same time.
    func link(_ path: String, _ parameters: [(String, String?)] = []) -> String {
        let query = parameters.compactMap { name, value in value.map { "\(name)=\(PercentEncoding.encode($0))" } }
        return "/console/\(path)?" + (query + [window.address]).joined(separator: "&")
    }

    /// The address of this page with some of what was asked put otherwise.
    func again(_ changes: [(String, String?)]) -> String {
        let changed = Set(changes.map(\.0))
        let kept = parameters.filter { !changed.contains($0.name) && !$0.value.isEmpty }
        let query = (kept.map { ($0.name, Optional($0.value)) } + changes).compactMap { name, value in
            value.map { "\(name)=\(PercentEncoding.encode($0))" }
        }
        return query.isEmpty ? path : path + "?" + query.joined(separator: "&")
    }
}

/// A part of a page, which is drawn beside the others and again by itself while the page is looked at.
struct Section: Sendable {
    let id: String
    private let draw: @Sendable () async throws -> HTML

    init(_ id: String, _ draw: @escaping @Sendable () async throws -> HTML) { (self.id, self.draw) = (id, draw) }

    /// Itself, or in its place why it cannot be shown: one that fails does not take the others with it.
    func drawn() async -> HTML {
        do {
            return try await draw()
        } catch {
            return "<p class=\"notice\" role=\"alert\">This cannot be shown. \(error.words)</p>"
        }
    }
}

struct Page: Sendable {
    let title: String
    let tab: Tab
    /// What is filled in, and stays as it is.
    var controls: HTML = ""
    let sections: [Section]
    /// Whether it is about a time that is chosen, and changes while one looks.
    var isLive = true
}

enum Tab: String, CaseIterable {
    case overview, services, traces, logs, metrics, journeys, storage

    var title: String { rawValue.prefix(1).uppercased() + rawValue.dropFirst() }
}

extension Page {
    /// Its sections in their order, each as soon as it and those before it are drawn.
    func eachSection(_ body: (_ id: String, HTML) async throws -> Void) async throws {
        try await withThrowingTaskGroup(of: (Int, HTML).self) { group in
            for (place, section) in sections.enumerated() { group.addTask { (place, await section.drawn()) } }
            var (waiting, next): ([Int: HTML], Int) = ([:], 0)
            for try await (place, html) in group {
                waiting[place] = html
                while let html = waiting.removeValue(forKey: next) {
                    try await body(sections[next].id, html)
                    next += 1
                }
            }
        }
    }
}
