// SPDX-License-Identifier: Apache-2.0

package import Kernel

/// A state of the API, named by the day on which it was released: `2026-11-27`.
package struct APIVersion: Hashable, Comparable, Sendable, CustomStringConvertible {
    package let description: String

    /// - Returns: `nil` for what is no day.
    package init?(_ text: String) {
        guard text.utf8.count == 10, Timestamp(rfc3339: text + "T00:00:00Z") != nil else { return nil }
        description = text
    }

    package static func < (a: APIVersion, b: APIVersion) -> Bool { a.description < b.description }
}

/// One thing that is another than in the version before, told from there: how a client of that is served as ever.
///
/// It is about bodies alone: names that `fields`, parameters and the pointers of errors use stay what they are.
package struct APIChange: Sendable {
    /// By their `operationId`.
    package let operations: Set<String>
    /// What changed, in words for developers.
    package let summary: String
    /// Makes what a client of the version before sends what it is now.
    package let upgrade: @Sendable (inout JSON) -> Void
    /// Makes an answer what it was in the version before.
    package let downgrade: @Sendable (inout JSON) -> Void

    package init(
        _ operations: Set<String>, _ summary: String, upgrade: @escaping @Sendable (inout JSON) -> Void = { _ in },
        downgrade: @escaping @Sendable (inout JSON) -> Void = { _ in }
    ) {
        self.operations = operations
        self.summary = summary
        self.upgrade = upgrade
        self.downgrade = downgrade
    }
}

/// A version with what is new in it.
package struct APIRelease: Sendable {
    package let version: APIVersion
    /// What was added, and breaks nobody.
    package let additions: [String]
    /// What would break a client of the version before, were it not for the change.
    package let changes: [APIChange]

    package init(_ version: String, additions: [String] = [], changes: [APIChange] = []) {
        guard let version = APIVersion(version) else { preconditionFailure("\(version) is no day.") }
        self.version = version
        self.additions = additions
        self.changes = changes
    }
}
