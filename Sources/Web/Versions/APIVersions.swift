// SPDX-License-Identifier: Apache-2.0

internal import HTTPTypes
package import Kernel

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
        let inAccept = headers[.accept].flatMap(Self.version)
        guard let text = Self.name.flatMap({ headers[$0] }) ?? inAccept else { return pin.flatMap(find) ?? oldest }
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

    private static func version(inAccept header: String) -> String? {
        for element in header.split(separator: ",") {
            let parts = element.split(separator: ";").map(\.trimmingSpace)
            guard parts.first?.lowercased() == mediaType else { continue }
            for part in parts.dropFirst() where part.hasPrefix("version=") {
                return String(part.dropFirst(8)).replacing("\"", with: "")
            }
        }
        return nil
    }

    // MARK: From neighbour to neighbour

    /// The changes of an operation since `version`, oldest first.
    private func changes(of operation: String, since version: APIVersion) -> [APIChange] {
        guard version < latest else { return [] }
        return releases.drop { $0.version <= version }.flatMap(\.changes).filter { $0.operations.contains(operation) }
    }

    /// A body that a client of `version` has sent, as the handler reads it. What is no JSON stays what it is.
    func upgraded(_ body: [UInt8], of endpoint: Endpoint, from version: APIVersion) -> [UInt8] {
        let changes = changes(of: endpoint.operationID, since: version)
        guard !changes.isEmpty, !body.isEmpty, var json = try? JSON.parse(body) else { return body }
        for change in changes { change.upgrade(&json) }
        return Array(json.text.utf8)
    }

    /// Makes an answer what a client of `version` reads. The parts of a list are changed like the one thing.
    func downgrade(_ response: inout WireResponse, of endpoint: Endpoint, to version: APIVersion) {
        let changes = changes(of: endpoint.operationID, since: version)
        guard !changes.isEmpty, response.status < 300, var json = try? JSON.parse(response.body) else { return }
        for change in changes.reversed() {
            if endpoint.isPaged, case .array(let items)? = json["items"] {
                json = json.setting("items", .array(items.map { $0.changed(change.downgrade) }))
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
    fileprivate func changed(_ change: (inout JSON) -> Void) -> JSON {
        var copy = self
        change(&copy)
        return copy
    }
}

extension JSON {
    /// An object with a member of that name, in its place where it had one.
    package func setting(_ name: String, _ value: JSON) -> JSON {
        guard var members = members else { return self }
        if let place = members.firstIndex(where: { $0.name == name }) {
            members[place] = .init(name, value)
        } else {
            members.append(.init(name, value))
        }
        return .object(members)
    }

    /// An object whose member has another name.
    package func renaming(_ name: String, to other: String) -> JSON {
        guard let members else { return self }
        return .object(members.map { $0.name == name ? .init(other, $0.value) : $0 })
    }
}
