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
    enum Role: String, CaseIterable, Sendable {
        /// Says who belongs to it, too.
        case owner
        /// Manages its apps.
        case member
    }

    let user: UserID
    let name: String
    let email: String
    let role: Role
    let since: Timestamp
}

/// What a new member is sent: a link with a secret, good once, which an owner passes on.
struct Invitation: Sendable {
    let organization: OrganizationID
    let role: Member.Role
    let expiresAt: Timestamp
}
