// SPDX-License-Identifier: Apache-2.0

package import Kernel

package enum OrganizationKind: EntityKind { package static let prefix = "org" }
package typealias OrganizationID = Identifier<OrganizationKind>

/// Developers from outside the shop who build apps together. The apps are the organisation's, whoever made them.
struct Organization: Sendable {
    let id: OrganizationID
    var name: String
    let createdAt: Timestamp
    let createdBy: String
    var version: Int64
}

struct Member: Sendable {
    /// Each may what those before it may.
    enum Role: String, CaseIterable, Sendable, Comparable {
        /// Sees the apps and who belongs to the organisation.
        case viewer
        /// Sees what apps have asked and what came of it, too.
        case support
        /// Manages the apps and their secrets. Was all that there was beside owners, under that name.
        case developer = "member"
        /// Says who belongs to it, too.
        case owner

        static func < (left: Self, right: Self) -> Bool { left.rank < right.rank }

        private var rank: Int { Self.allCases.firstIndex(of: self) ?? 0 }
    }

    let user: UserID
    let name: String
    let email: String
    var role: Role
    let since: Timestamp
}

/// What a new member is sent: a link with a secret, good once, which an owner passes on.
struct Invitation: Sendable {
    let organization: OrganizationID
    let role: Member.Role
    let expiresAt: Timestamp
}
