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
}
