// SPDX-License-Identifier: Apache-2.0

internal import HTTPTypes
internal import Kernel

/// All versions that are served. The handlers know the latest alone; what is older is made from it, step by step from
/// neighbour to neighbour.
package struct APIVersions: Sendable {
    /// Oldest first.
    package let releases: [APIRelease]
    package let latest: APIVersion
    /// What whoever says nothing gets: what there was when they were written.
    package let oldest: APIVersion

    package static let header = "Vitrine-Version"
    /// Our name for JSON of ours, with the parameter `version`.
    static let mediaType = "application/vnd.vitrine+json"

    private static let name = HTTPField.Name(header)

    package init(_ releases: [APIRelease]) {
        guard let first = releases.first, let last = releases.last else { preconditionFailure("There is a version.") }
        precondition(zip(releases, releases.dropFirst()).allSatisfy { $0.version < $1.version }, "Oldest first.")
        self.releases = releases
        (oldest, latest) = (first.version, last.version)
    }

    package func find(_ text: String) -> APIVersion? { releases.first { $0.version.description == text }?.version }

    /// The version that a request is for: by its own field, else by `Accept`, else the `pin` of its app, else the oldest.
    ///
    /// - Throws: ``Problem`` 406 for one that there is not.
    func asked(_ headers: HTTPFields, pin: String?) throws(Problem) -> APIVersion {
        let named = Self.name.flatMap { headers[$0] } ?? headers[.accept].flatMap(version)
        guard let text = named else { return pin.flatMap(find) ?? oldest }
        guard let version = find(text.trimmingSpace) else {
            let all = releases.map(\.version.description)
            throw Problem(
                .notAcceptable, "There is no version \(text.prefix(40)). Served are \(all.joined(separator: ", "))."
            )
            .with("supported_versions", .array(all.map { .string($0) }))
        }
        return version
    }

    /// Whether a request says itself which version it is for.
    static func isNamed(in headers: HTTPFields) -> Bool { name.flatMap { headers[$0] } != nil }

    /// The version that is liked best of those that there are; one that there is not only where nothing else will do.
    private func version(inAccept header: String) -> String? {
        // What most clients send is shorter than what names one.
        guard header.utf8.count > Self.mediaType.utf8.count else { return nil }
        var unknown: String?
        var (best, others) = ((quality: 0.0, text: String?.none), false)
        for element in header.split(separator: ",").prefix(16) {
            let parts = element.split(separator: ";").map { $0.trimmingSpace.lowercased() }
            let quality = parts.dropFirst().first { $0.hasPrefix("q=") }.flatMap { Double($0.dropFirst(2)) } ?? 1
            guard quality > 0 else { continue }
            let text = parts.dropFirst().first { $0.hasPrefix("version=") }.map {
                String($0.dropFirst(8)).replacing("\"", with: "")
            }
            guard parts.first == Self.mediaType, let text else {
                others = true
                continue
            }
            if find(text) == nil { unknown = unknown ?? text } else if quality > best.quality { best = (quality, text) }
        }
        return best.text ?? (others ? nil : unknown)
    }

    // MARK: From neighbour to neighbour

    /// The changes of an operation from `version` to a later one, oldest first.
    private func changes(
        of operation: String, since version: APIVersion, until later: APIVersion
    ) -> [APIChange] {
        guard version < later else { return [] }
        return releases.filter { version < $0.version && $0.version <= later }.flatMap(\.changes)
            .filter { $0.operations.contains(operation) }
    }

    /// A body that a client of `version` has sent, as the handler reads it. What is no JSON stays what it is.
    func upgraded(_ body: [UInt8], of endpoint: Endpoint, from version: APIVersion) -> [UInt8] {
        let changes = changes(of: endpoint.operationID, since: version, until: latest)
        guard !changes.isEmpty else { return body }
        // A batch has a value on each line.
        guard endpoint.contentTypes.contains("application/x-ndjson") else {
            return Self.upgraded(body[...], by: changes)
        }
        return Array(
            body.split(separator: 0x0A, omittingEmptySubsequences: false)
                .map { Self.upgraded($0, by: changes) }.joined(separator: [0x0A]))
    }

    private static func upgraded(_ text: ArraySlice<UInt8>, by changes: [APIChange]) -> [UInt8] {
        guard !text.isEmpty, var json = try? JSON.parse(Array(text)) else { return Array(text) }
        for change in changes { change.upgrade(&json) }
        return Array(json.text.utf8)
    }

    /// Makes an answer what a client of `version` reads, and labels it. The parts of a list are changed like the one thing. One
    /// that was kept for retries since before the latest version is as it was made.
    func downgrade(_ response: inout WireResponse, of endpoint: Endpoint, to version: APIVersion) {
        let made = response.header(Self.header).flatMap(find) ?? latest
        response.headers.removeAll { $0.name == Self.header }
        response.headers.append(HeaderField(Self.header, min(version, made).description))
        let changes = changes(of: endpoint.operationID, since: version, until: made)
        guard !changes.isEmpty, response.status < 300, var json = try? JSON.parse(response.body) else { return }
        for change in changes.reversed() {
            if endpoint.isPaged, case .array(let items)? = json["items"] {
                json = json.replacing("items", with: .array(items.map { $0.changed(change.downgrade) }))
            } else {
                change.downgrade(&json)
            }
        }
        response.body = Array(json.text.utf8)
        response.headers = response.headers.map { field in
            field.name == "ETag" ? HeaderField("ETag", EntityTag.retagged(field.value, body: response.body)) : field
        }
    }
}

extension JSON {
    /// An object with another value in place of a member's.
    fileprivate func replacing(_ name: String, with value: JSON) -> JSON {
        guard let members else { return self }
        return .object(members.map { $0.name == name ? .init(name, value) : $0 })
    }

    fileprivate func changed(_ change: (inout JSON) -> Void) -> JSON {
        var copy = self
        change(&copy)
        return copy
    }
}
