// SPDX-License-Identifier: Apache-2.0

internal import Kernel
package import Web

package enum IdentityError: Error, Equatable {
    case keyNotFound
    /// A key may not give what its holder does not have.
    case scopesExceedCaller([Scope])
    case tierExceedsCaller(Tier)
    case limitExceedsCaller(Int)
    case expiryInPast
    case keyIsInvalid
    case appNotFound
    case redirectURI(String, String)
    /// Whoever can read an app can be it, so that it cannot act for itself.
    case publicAppActsForNobody
    case publicAppHasNoSecret
    case tooManySecrets
    case unusableKeys
    case userNotFound
    case emailTaken
    case roleUnknown(String)
    case roleIsBuiltIn(String)
    case passwordTooShort
    /// Somebody must be able to let others in.
    case lastOwner
    case versionUnknown(String, [String])
    case customerNotFound
    case customerHasNoMail
    case accountNotFound
    case organizationNotFound
    case organizationInUse
    case tooManyOrganizations(Int)
    /// The least that somebody must be in the organisation.
    case roleTooLow(String)
    case memberNotFound
    case alreadyMember
    case tooManyApps(Int)
    case tooManyMembers(Int)
    case invitationOver
    /// What only the shop gives an app of somebody else.
    case shopDecides(String)
}
