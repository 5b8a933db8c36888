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
        case .keyIsInvalid: Problem(.conflict, "The key has ended already; make a new one instead.")
        }
    }
}
