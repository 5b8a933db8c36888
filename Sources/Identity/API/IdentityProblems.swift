// SPDX-License-Identifier: Apache-2.0

package import Web

extension IdentityError: ProblemConvertible {
    package var problem: Problem {
        switch self {
        case .keyNotFound: Problem(.notFound, "There is no such key.")
        case .scopesExceedCaller(let scopes):
            Problem(
                .insufficientScope,
                "A key cannot give what it does not have itself: \(scopes.map(\.rawValue).joined(separator: ", ")).")
        case .tierExceedsCaller(let tier):
            Problem(.insufficientScope, "This needs a key of the tier \(tier.rawValue).")
        case .limitExceedsCaller(let units):
            Problem(.insufficientScope, "A key cannot give \(units) units a minute; a key of the tier trusted can.")
        case .expiryInPast: Problem(.invalidBody, "expires_at lies in the past.")
        case .appNotFound: Problem(.notFound, "There is no such app.")
        case .redirectURI(let uri, let fault): Problem(.invalidBody, "\(uri.prefix(100)): \(fault)")
        case .publicAppActsForNobody:
            Problem(.invalidBody, "Whoever can read a public app can be it, so that it can have no own_scopes.")
        case .publicAppHasNoSecret:
            Problem(.conflict, "A public app cannot keep a secret, and one with keys needs none.")
        case .tooManySecrets: Problem(.conflict, "The app has five secrets that are good. Wait until one has ended.")
        case .unusableKeys:
            Problem(
                .invalidBody,
                "jwks takes the public halves of keys of P-256 (ES256) or of RSA with 2,048 bits and more.")
        case .userNotFound: Problem(.notFound, "There is no such user.")
        case .emailTaken:
            Problem(
                .conflict,
                "Another user has this mail address. If it is a developer from outside whom you do not know, disable them."
            )
        case .roleUnknown(let name): Problem(.invalidBody, "There is no role \(name.prefix(60)).")
        case .roleIsBuiltIn(let name): Problem(.conflict, "The role \(name) is the shop's own and stays as it is.")
        case .passwordTooShort: Problem(.invalidBody, "A password has 12 to 200 characters.")
        case .lastOwner: Problem(.conflict, "This is the only owner. There must be another one first.")
        case .versionUnknown(let version, let known):
            Problem(
                .invalidBody, "There is no version \(version) of the API. Served are \(known.joined(separator: ", ")).")
        case .customerNotFound: Problem(.notFound, "There is no such customer.")
        case .customerHasNoMail: Problem(.conflict, "The customer has no mail address, with which they could sign in.")
        case .accountNotFound: Problem(.notFound, "The customer has no account.")
        case .organizationNotFound: Problem(.notFound, "There is no such organisation.")
        case .organizationInUse: Problem(.conflict, "The organisation has apps. Remove them first.")
        case .tooManyOrganizations(let most):
            Problem(.conflict, "You belong to \(most) organisations, which is the most. Leave one first.")
        case .roleTooLow(let role):
            Problem(.notForPartners, "This takes the role \(role) in the organisation, or more.")
        case .memberNotFound: Problem(.notFound, "Nobody of that id belongs to the organisation.")
        case .alreadyMember:
            Problem(.conflict, "You belong to this organisation. The invitation is still good for somebody else.")
        case .tooManyApps(let most):
            Problem(.conflict, "The organisation has \(most) apps, which is the most.")
        case .tooManyMembers(let most):
            Problem(.conflict, "The organisation has \(most) members, which is the most.")
        case .invitationOver:
            Problem(.notFound, "The invitation was used before, or is too old. Ask an owner for another.")
        case .shopDecides(let field):
            Problem(.notForPartners, "Only the shop gives this: \(field). Leave it out.")
        case .keyIsInvalid: Problem(.conflict, "The key has ended already; make a new one instead.")
        }
    }
}
